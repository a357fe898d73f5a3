"""The API server over HTTPS: paths and JSON, by the official client's connection.

Objects stay as JSON has them: the client's typed models would take most of the operator's memory.
Nothing is tried twice here: whoever asked looks again and decides anew.

Decides: paths, content types, how long a request is given, whose fault a failure is.
Must not know: what is asked for, whether it may be written (writing.py).
Read next: reading.py, writing.py.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.kinds import Kind
from replog_operator.kube.ports import Refused, Unanswered

JSON: Final = "application/json"
MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
"""It must be said: without it the client sends a merge patch, which owns nothing."""

READ_S: Final = 10.0
_MESSAGE_CHARS: Final = 1000


async def configuration(file: Path | None = None) -> Configuration:
    """Where the API server is and who we are: of a file, or else a pod's own account.

    Raises config.ConfigException, OSError.
    """
    found = Configuration()
    found.retries = None
    if file is None:
        config.load_incluster_config(found)
    else:
        await config.load_kube_config(config_file=str(file), client_configuration=found)
    return found


class Client:
    """Use as `async with`. Connections are kept and shared by all requests."""

    def __init__(self, found: Configuration, agent: str) -> None:
        self._api = ApiClient(found)
        self._api.user_agent = agent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._api.close()

    async def call(
        self, method: str, path: str, body: Any = None, *,
        query: Mapping[str, str] | None = None, content: str = JSON, timeout_s: float = READ_S,
    ) -> Any:  # fmt: skip
        """One request; the JSON that is answered. Raises Refused, Unanswered."""
        headers = {"Content-Type": content, "Accept": JSON}
        status, data = await self._answered(method, path, body, query or {}, headers, timeout_s)
        answer = _decoded(data)
        if status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(status, answer)
        return answer

    async def fetch(
        self, path: str, *, query: Mapping[str, str] | None = None, timeout_s: float = READ_S
    ) -> tuple[int, bytes]:
        """Status and bytes as they come: of logs, and of what a pod answers through the server.

        Raises Unanswered.
        """
        headers = {"Accept": f"{JSON}, */*"}
        return await self._answered("GET", path, None, query or {}, headers, timeout_s)

    async def _answered(
        self, method: str, path: str, body: Any, query: Mapping[str, str],
        headers: dict[str, str], timeout_s: float,
    ) -> tuple[int, bytes]:  # fmt: skip
        asked = f"{method} {path}"
        try:
            return await self._send(method, path, body, query, headers, timeout_s)
        except TimeoutError:
            raise Unanswered(f"{asked}: no answer within {timeout_s:.1f} s") from None
        except (aiohttp.ClientError, OSError) as problem:
            raise Unanswered(f"{asked}: {problem or type(problem).__name__}") from problem

    async def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str],
        headers: dict[str, str], timeout_s: float,
    ) -> tuple[int, bytes]:  # fmt: skip
        _, url, sent, _, _ = await self._api.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        response = await self._api.call_api(
            method,
            url,
            header_params=sent,
            body=body,
            _request_timeout=aiohttp.ClientTimeout(total=timeout_s),
        )
        return response.status, await response.read()


def path_of(kind: Kind, namespace: str = "", name: str = "", sub: str = "") -> str:
    """The path of an object, or of a collection; without a namespace that of the whole cluster."""
    root = "/api" if "/" not in kind.api_version else "/apis"
    within = f"/namespaces/{namespace}" if namespace else ""
    path = f"{root}/{kind.api_version}{within}/{kind.plural}"
    return "/".join(part for part in (path, name, sub) if part)


def place_of(found: Object) -> tuple[str, str]:
    """Namespace and name of an object."""
    metadata = found["metadata"]
    return metadata["namespace"], metadata["name"]


def _decoded(data: bytes) -> Any:
    """The JSON, or, of something between us and the server, its text as a message."""
    try:
        return json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace")}


def _refusal(status: int, answer: Any) -> Refused:
    found = answer if isinstance(answer, dict) else {}
    message = str(found.get("message", ""))[:_MESSAGE_CHARS]
    return Refused(status, str(found.get("reason") or HTTPStatus(status).phrase), message)
