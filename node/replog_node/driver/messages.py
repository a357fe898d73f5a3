"""What members say to each other beside consensus: calls sent on to the leader, and its answers.

Decides: their fields. Each carries sender, receiver and incarnations, as the core's envelopes do:
an answer to another incarnation moves nothing.
Must not know: encodings (wire.py), who asked.
Read next: forwards.py, calls.py, wire.py.
"""

from typing import Any

import msgspec

from replog.wire.codes import known
from replog.wire.problems import ApiError
from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset
from replog_node.raft.messages import Envelope, Incarnation


class ForwardedAppended(msgspec.Struct, frozen=True, tag="appended"):
    """The batch is committed (replog.wire.schemas.Appended)."""

    base_offset: int
    last_offset: int
    term: int
    duplicate: bool = False


class ForwardedRefusal(msgspec.Struct, frozen=True, tag="refused"):
    """The batch or call was refused or failed (replog.wire.problems.ApiError)."""

    code: str
    detail: str
    extra: dict[str, Any] = {}


def telling(refusal: ApiError) -> ForwardedRefusal:
    """The refusal as it travels."""
    return ForwardedRefusal(refusal.code, refusal.detail, dict(refusal.extra))


def told(refusal: ForwardedRefusal) -> ApiError:
    """The refusal as its caller hears it; of a code that only a newer build knows, unknown."""
    if not known(refusal.code):
        return ApiError("outcome_unknown", f"the leader said {refusal.code}: {refusal.detail}")
    return ApiError(refusal.code, refusal.detail, **refusal.extra)


class ForwardAppends(msgspec.Struct, frozen=True):
    """A group of checked client batches. budget_ms: how long their callers still wait.

    conditions: CheckedBatch.if_last_record of each; none at all when no batch has one.
    """

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    id: int
    budget_ms: int
    batches: tuple[bytes, ...]
    conditions: tuple[int | None, ...] = ()


class ForwardResults(msgspec.Struct, frozen=True):
    """One result a batch, in the group's order."""

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    to_incarnation: Incarnation
    id: int
    results: tuple[ForwardedAppended | ForwardedRefusal, ...]


class ForwardAdmin(msgspec.Struct, frozen=True):
    """An admin call. kind: of calls.KINDS; body: its request as JSON."""

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    id: int
    budget_ms: int
    kind: str
    body: bytes


class ForwardAdminResult(msgspec.Struct, frozen=True):
    """Its answer: body is the result as JSON, unless it was refused."""

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    to_incarnation: Incarnation
    id: int
    body: bytes
    refusal: ForwardedRefusal | None = None


class FetchChunk(msgspec.Struct, frozen=True):
    """A piece of a snapshot's file is asked for: of the one at this offset with this digest."""

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    offset: int
    digest: bytes
    at: int
    max_bytes: int


class ChunkFetched(msgspec.Struct, frozen=True):
    """The piece from byte `at` on; no data: it isn't here. crc: CRC-32C of the data."""

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    offset: int
    digest: bytes
    at: int
    crc: int
    data: bytes


class SnapshotReport(msgspec.Struct, frozen=True):
    """The sender has built the snapshot at this offset: its digest must be everybody's."""

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    offset: int
    digest: bytes


class FetchEntries(msgspec.Struct, frozen=True):
    """Give me the entries from this offset up to that one, inclusive, as far as they fit.

    Of a member with a hole in its log (repair.py). max_bytes: of frames; one is given anyway.
    """

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    id: int
    from_offset: Offset
    to_offset: Offset
    max_bytes: int


class EntriesFetched(msgspec.Struct, frozen=True):
    """Consecutive entries from the offset that was asked for; none: they can't be read here.

    They need not be committed: their chain tells whether they fit.
    """

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    to_incarnation: Incarnation
    id: int
    entries: tuple[Entry, ...] = ()


CallMessage = ForwardAppends | ForwardResults | ForwardAdmin | ForwardAdminResult
"""Calls of clients and admins on their way."""

SnapshotMessage = FetchChunk | ChunkFetched | SnapshotReport

DriverMessage = CallMessage | SnapshotMessage | FetchEntries | EntriesFetched

Message = Envelope | DriverMessage
"""Everything that travels between members after the hello."""
