"""The API server, asked over HTTPS: one request, one answer, and nothing cached.

Tests ask in paths, so that what they show is what the API says. The standard library suffices.

Decides: how a request is sent, and what counts as refused. Must not know: which objects there are.
Read next: kubectl.py.
"""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.cluster.sandbox import NODE_ADDRESS

PORT = 6443
REQUEST_S = 30
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Answer(NamedTuple):
    """Status, and the decoded body: an object, or the API's own Status."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """What a refusal says."""
        return str(self.body.get("message", ""))


class Refused(OSError):
    """An answer of 400 or more."""

    def __init__(self, request: str, answer: Answer) -> None:
        super().__init__(f"{request}: {answer.status} {answer.message}")
        self.status = answer.status
        self.message = answer.message


class Api:
    """Asks as one client whose certificate lies in a directory; one connection a request.

    Raises OSError for what is no answer.
    """

    def __init__(self, pki: Path, who: str = "admin") -> None:
        self._trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._trust.load_cert_chain(pki / f"{who}.crt", pki / f"{who}.key")

    def call(
        self, method: str, path: str, body: Any = None, *, kind: str = JSON, **query: str
    ) -> Answer:
        """One request; its answer, whatever it is."""
        connection = http.client.HTTPSConnection(
            NODE_ADDRESS, PORT, context=self._trust, timeout=REQUEST_S
        )
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, target, content, {"Content-Type": kind})
            answer = connection.getresponse()
            return Answer(answer.status, _decoded(answer.read()))
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """One request; the object that is answered. Raises Refused."""
        answer = self.call(method, path, body, **options)
        if answer.status >= 400:
            raise Refused(f"{method} {path}", answer)
        return answer.body

    def get(self, path: str) -> Any:
        """The object, or the list. Raises Refused."""
        return self.ask("GET", path)

    def items(self, path: str) -> list[Any]:
        """The objects of a list. Raises Refused."""
        return list(self.get(path)["items"])

    def found(self, path: str) -> Any | None:
        """The object, or None if there is none. Raises Refused."""
        answer = self.call("GET", path)
        if answer.status == 404:
            return None
        if answer.status >= 400:
            raise Refused(f"GET {path}", answer)
        return answer.body

    def create(self, path: str, body: Any) -> Any:
        """POST to a collection. Raises Refused."""
        return self.ask("POST", path, body)

    def delete(self, path: str, **query: str) -> Any:
        """DELETE an object or a collection. Raises Refused."""
        return self.ask("DELETE", path, **query)

    def merge(self, path: str, body: Any) -> Any:
        """Merge these fields into the object. Raises Refused."""
        return self.ask("PATCH", path, body, kind=MERGE)

    def apply(self, path: str, body: Any, *, manager: str, force: bool = False) -> Any:
        """Server-side apply: this manager wants these fields so. Raises Refused (409: conflict)."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        return self.ask("PATCH", path, body, kind=APPLY, **query)


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return {"message": content.decode(errors="replace")}
