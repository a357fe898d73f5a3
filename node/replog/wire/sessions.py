"""Append sessions: the bytes of the messages on WebSocket /v1/records:session (docs/api.md).

Decides: the layout of an append and of its answer; a message holds several of either, one after the
other, and never a part of one.
Must not know: sockets; what a batch holds (batches.py).
Read next: batches.py, problems.py.
"""

from struct import Struct, error
from typing import Final, NamedTuple

from replog.wire.problems import ApiError, problem_of
from replog.wire.schemas import Appended

SESSION_PATH: Final = "/v1/records:session"

SESSION_APPENDS_MAX: Final = 1024
"""Appends of a session that are not answered; the node reads no more of it meanwhile.

A message has no more of them either."""

SESSION_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of their batches, likewise."""

SESSION_IDLE_S: Final = 75.0
"""A session in which nothing comes for so long, not even a ping, ends."""

ANY: Final = -2
"""`if_last_record` of an append without a condition."""

_APPEND: Final = Struct(">QqII")
_ANSWER: Final = Struct(">QHBxIqqq")
_OK: Final = 200
_DUPLICATE: Final = 1
APPEND_HEADER_BYTES: Final = _APPEND.size
ANSWER_HEADER_BYTES: Final = _ANSWER.size


class SessionAppend(NamedTuple):
    """One append. request: the client's number for it, 0…2^64-1, not looked at by the node.

    if_last_record: as the header If-Last-Record, or ANY. timeout_ms: 0: the node's default.
    """

    request: int
    batch: bytes
    if_last_record: int = ANY
    timeout_ms: int = 0


class SessionAnswer(NamedTuple):
    """What became of one append; exactly one of `appended` and `problem` is there."""

    request: int
    appended: Appended | None
    problem: ApiError | None


def encode_append(append: SessionAppend) -> bytes:
    """The bytes of one append; several joined are a message, too."""
    request, batch, if_last_record, timeout_ms = append
    return _APPEND.pack(request, if_last_record, timeout_ms, len(batch)) + batch


def decode_appends(message: bytes) -> list[SessionAppend]:
    """The appends of a message, in their order; raises ValueError unless it is whole appends, and
    no more than may be under way: a message of a hundred thousand would hold up everybody."""
    found: list[SessionAppend] = []
    at, end = 0, len(message)
    try:
        while at < end:
            request, if_last_record, timeout_ms, length = _APPEND.unpack_from(message, at)
            at += APPEND_HEADER_BYTES + length
            if at > end or if_last_record < ANY:
                raise ValueError(f"append {len(found)} of the message is not whole")
            if len(found) == SESSION_APPENDS_MAX:
                raise ValueError(f"more than {SESSION_APPENDS_MAX} appends in a message")
            found.append(
                SessionAppend(request, message[at - length : at], if_last_record, timeout_ms)
            )
    except error:
        raise ValueError(f"append {len(found)} of the message has no whole head") from None
    return found


def encode_appended(request: int, appended: Appended) -> bytes:
    """The answer to an append that is committed."""
    flags = _DUPLICATE if appended.duplicate else 0
    last = appended.last_offset
    return _ANSWER.pack(request, _OK, flags, 0, appended.base_offset, last, appended.term)


def encode_refused(request: int, problem: ApiError) -> bytes:
    """The answer to an append that is not."""
    body = problem.body()
    return _ANSWER.pack(request, problem.status, 0, len(body), -1, -1, -1) + body


def decode_answers(message: bytes) -> list[SessionAnswer]:
    """The answers of a message; raises ValueError unless it is whole answers."""
    found: list[SessionAnswer] = []
    at, end = 0, len(message)
    try:
        while at < end:
            request, status, flags, length, base, last, term = _ANSWER.unpack_from(message, at)
            at += ANSWER_HEADER_BYTES + length
            if at > end:
                raise ValueError(f"answer {len(found)} of the message is not whole")
            if status == _OK:
                duplicate = bool(flags & _DUPLICATE)
                appended = Appended(base, last, last - base + 1, term, duplicate)
                found.append(SessionAnswer(request, appended, None))
            else:
                found.append(SessionAnswer(request, None, _problem(message[at - length : at])))
    except error:
        raise ValueError(f"answer {len(found)} of the message has no whole head") from None
    return found


def _problem(body: bytes) -> ApiError:
    """The problem of an answer; one with a code unknown here leaves the outcome unknown."""
    return problem_of(body) or ApiError("outcome_unknown", "refused with a code unknown here")
