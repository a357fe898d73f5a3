"""A refusal as an exception, and as the JSON of RFC 9457.

Decides: the members of a problem document. Must not know: HTTP libraries.
Read next: codes.py.
"""

from typing import Any, Final

import msgspec

from replog.wire.codes import Row, known, row

_TYPE: Final = "https://replog.dev/codes#"
_RESERVED: Final = frozenset(
    {"type", "title", "status", "detail", "code", "retryable", "outcome", "next"}
)


class ApiError(Exception):
    """A call that was refused or failed. code: of codes.py; detail: one sentence about this case.

    extra: more members of the problem document (`expected`, `line`, `end_offset` …).
    """

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.extra = extra
        self.row: Row = row(code)

    @property
    def status(self) -> int:
        """HTTP's status."""
        return self.row.status

    @property
    def outcome(self) -> str:
        """What became of the call: none or unknown."""
        return self.row.outcome

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.row.retryable

    @property
    def elsewhere(self) -> bool:
        """Whether another member may serve the same call."""
        return self.row.elsewhere

    def problem(self) -> dict[str, Any]:
        """The members of the problem document."""
        found = self.row
        return {
            "type": f"{_TYPE}{found.code}",
            "title": found.title,
            "status": found.status,
            "detail": self.detail,
            "code": found.code,
            "retryable": found.retryable,
            "outcome": found.outcome,
            "next": found.next,
            **{name: value for name, value in self.extra.items() if name not in _RESERVED},
        }

    def body(self) -> bytes:
        """The problem document."""
        return msgspec.json.encode(self.problem())


def problem_of(body: bytes) -> ApiError | None:
    """Return what a problem document says; None if it is none, or of a code unknown here."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None
    code = found.get("code")
    if not isinstance(code, str) or not known(code):
        return None
    extra = {name: value for name, value in found.items() if name not in _RESERVED}
    return ApiError(code, str(found.get("detail", "")), **extra)
