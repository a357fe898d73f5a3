"""Reads of the API server: always what is stored now, never what a cache remembers.

Decides: that lists come whole, page by page. Must not know: what is read for.
Read next: client.py, gather.py.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.client import Client, path_of
from replog_operator.kube.kinds import Kind
from replog_operator.kube.lease import API_VERSION
from replog_operator.kube.ports import Refused

PAGE: Final = 500
"""Objects of one answer, so that no answer is large."""
LEASE: Final = Kind(API_VERSION, "leases")


class Reader:
    """`Reads` of ports.py. Without a resourceVersion an API server answers what is committed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object; None if there is none."""
        try:
            found: Object = await self._client.call("GET", path_of(kind, namespace, name))
        except Refused as problem:
            if problem.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    async def list(self, kind: Kind, namespace: str, selector: str = "") -> Sequence[Object]:
        """All objects with these labels; without a namespace those of the whole cluster.

        Each has its kind, which a list's items lack at the API server.
        """
        items: list[Object] = []
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = await self._client.call("GET", path_of(kind, namespace), query=query)
            items += [_whole(page, item) for item in page.get("items") or ()]
            more = page.get("metadata", {}).get("continue")
            if not more:
                return items
            query["continue"] = more


def _whole(page: Object, item: Object) -> Object:
    kind: dict[str, Any] = {
        "apiVersion": page["apiVersion"],
        "kind": page["kind"].removesuffix("List"),
    }
    return kind | item


class LeaseStore:
    """`Leases` of election.py. Renewing is no fenced write: it is what the fence rests on."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, namespace: str, name: str, timeout_s: float) -> Object | None:
        """The lease; None if there is none."""
        try:
            found: Object = await self._client.call(
                "GET", path_of(LEASE, namespace, name), timeout_s=timeout_s
            )
        except Refused as problem:
            if problem.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    async def put(self, lease: Object, timeout_s: float) -> Object:
        """Make it, or replace the version that it names; 409 if that is another by now."""
        metadata = lease["metadata"]
        exists = "resourceVersion" in metadata
        name = metadata["name"] if exists else ""
        stored: Object = await self._client.call(
            "PUT" if exists else "POST",
            path_of(LEASE, metadata["namespace"], name),
            lease,
            timeout_s=timeout_s,
        )
        return stored
