"""Messages survive their bytes; other bytes are refused, whatever they are."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replog_node.driver.messages import (
    ChunkFetched,
    EntriesFetched,
    FetchChunk,
    FetchEntries,
    ForwardAdmin,
    ForwardAdminResult,
    ForwardAppends,
    ForwardedAppended,
    ForwardedRefusal,
    ForwardResults,
    Message,
    SnapshotReport,
)
from replog_node.driver.wire import CORE_KINDS, VERSION, WireError, decode, encode
from replog_node.model.configuration import Configuration, Member
from replog_node.model.positions import (
    ORIGIN,
    TERM_MAX,
    ClusterId,
    Lineage,
    MemberId,
    Offset,
    Position,
    Term,
)
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    CoreMessage,
    Envelope,
    Heartbeat,
    HeartbeatReply,
    Incarnation,
    ReadIndexReply,
    ReadIndexRequest,
    RequestVote,
    SnapshotOffer,
    TimeoutNow,
    VoteReply,
)
from tests.unit.storage.building import CLOCK, chained, configured, data

A, B = MemberId("a"), MemberId("b")
RUN = Incarnation(3, 2**64 - 1)
T = Term(7)
AT = Position(Term(6), Offset(41))
ENTRIES = chained([configured("a", "b"), data(3000, records=5), CLOCK])


def envelope(message: CoreMessage, answers: Incarnation | None = None) -> Envelope:
    return Envelope(A, B, RUN, answers, message)


MEMBERS = (Member(A, "a:1"), Member(B, "b:1"))
SNAPSHOT = SnapshotMeta(
    position=AT, chain=bytes(range(16)), log_time_ms=5, log_start=Offset(7),
    configuration=Configuration(MEMBERS, outgoing=MEMBERS[:1]), configuration_offset=Offset(3),
    cluster_id=ClusterId("c"), lineage=Lineage(2, "l"), feature_level=1, size_bytes=2**33,
    digest=bytes(16),
)  # fmt: skip

CORE: tuple[CoreMessage, ...] = (
    RequestVote(T, AT, pre=True, transfer=False, attempt=2),
    VoteReply(T, granted=True, pre=False, attempt=2),
    AppendEntries(T, 9, ORIGIN, Offset(-1), ENTRIES),
    AppendEntries(T, 9, AT, Offset(40), ()),
    AppendReply(T, 9, ok=True, match=AT, hint=ORIGIN),
    Heartbeat(T, Offset(41), 2**40, 1_700_000_000_000),
    HeartbeatReply(T, 2**40, 1_700_000_000_001),
    TimeoutNow(Term(TERM_MAX)),
    ReadIndexRequest(T, 5),
    ReadIndexReply(T, 5, ok=True, index=Offset(41)),
    AppendReply(T, 9, ok=True, match=AT, hint=AT, full=True),
    SnapshotOffer(T, 9, SNAPSHOT),
    HeartbeatReply(T, 2, 3, free_bytes=2**50, low=True, full=True, whole=False),
)

DRIVER: tuple[Message, ...] = (
    ForwardAppends(A, B, RUN, 4, 900, (b"one", b"", bytes(100_000))),
    ForwardResults(
        B,
        A,
        RUN,
        RUN,
        4,
        (ForwardedAppended(5, 6, 7, True), ForwardedRefusal("overloaded", "why", {"n": 1})),
    ),
    ForwardAdmin(A, B, RUN, 5, 100, "target", b"{}"),
    ForwardAdminResult(B, A, RUN, RUN, 5, b"{}", ForwardedRefusal("stale_epoch", "why")),
    FetchChunk(A, B, RUN, 70, b"d" * 16, 4096, 1024),
    ChunkFetched(B, A, RUN, 70, b"d" * 16, 4096, 7, b"piece"),
    ChunkFetched(B, A, RUN, 70, b"d" * 16, 4096, 0, b""),
    SnapshotReport(B, A, RUN, 70, b"d" * 16),
    FetchEntries(A, B, RUN, 6, Offset(7), Offset(900), 1 << 20),
    EntriesFetched(B, A, RUN, RUN, 6, ENTRIES),
    EntriesFetched(B, A, RUN, RUN, 6),
)

ALL = (*map(envelope, CORE), envelope(CORE[1], answers=Incarnation(1, 1)), *DRIVER)


def head(kind: int, version: int, length: int) -> bytes:
    return kind.to_bytes(2, "big") + version.to_bytes(2, "big") + length.to_bytes(4, "big")


@pytest.mark.parametrize("message", ALL, ids=lambda m: type(getattr(m, "message", m)).__name__)
def test_every_message_survives_its_bytes(message: Message) -> None:
    assert decode(encode(message)) == message


def test_every_kind_of_the_core_is_tried_here() -> None:
    assert {type(message) for message in CORE} == set(CORE_KINDS)


def test_frames_travel_as_they_lie() -> None:
    data = encode(envelope(CORE[2]))
    for entry in ENTRIES:
        assert len(entry.frame).to_bytes(4, "big") + entry.frame in data


@pytest.mark.parametrize(("kind", "version"), [(0, VERSION), (99, VERSION), (1, VERSION + 1)])
def test_an_unknown_type_or_version_is_named(kind: int, version: int) -> None:
    with pytest.raises(WireError, match=f"type {kind} version {version}"):
        decode(head(kind, version, 0))


def test_a_frame_that_was_changed_on_the_way_is_refused() -> None:
    whole = encode(envelope(CORE[2]))
    with pytest.raises(WireError, match="checksum"):
        decode(whole[:-1] + bytes([whole[-1] ^ 1]))


def with_term(term: int) -> bytes:
    return encode(envelope(TimeoutNow(Term(term))))


@pytest.mark.parametrize("term", [-1, TERM_MAX + 1, 2**63])
def test_a_term_that_no_log_can_hold_is_refused(term: int) -> None:
    with pytest.raises(WireError, match="term"):
        decode(with_term(term))


@pytest.mark.parametrize("message", [ALL[0], DRIVER[1], DRIVER[2]])
def test_a_message_with_pieces_that_it_can_not_have_is_refused(message: Message) -> None:
    with pytest.raises(WireError, match="pieces"):
        decode(encode(message) + bytes(4))


def test_entries_and_batches_inside_the_body_are_refused() -> None:
    for message in (envelope(CORE[2]), DRIVER[0]):
        body = msgspec.msgpack.encode(message)
        with pytest.raises(WireError, match="inside the body"):
            decode(head(1 if isinstance(message, Envelope) else 2, VERSION, len(body)) + body)


@pytest.mark.parametrize("message", ALL, ids=lambda m: type(getattr(m, "message", m)).__name__)
def test_a_message_that_was_cut_anywhere_is_refused(message: Message) -> None:
    whole = encode(message)
    ends = {decode(whole[:end]) for end in _sound_ends(message, whole)}
    cut = range(len(whole)) if len(whole) < 2000 else [*range(400), *range(400, len(whole), 97)]
    for end in cut:
        try:
            found = decode(whole[:end])
        except WireError:
            continue
        assert found in ends, end


def _sound_ends(message: Message, whole: bytes) -> list[int]:
    """Where the bytes end after a whole piece: a shorter message of the same kind."""
    length = int.from_bytes(whole[4:8], "big")
    ends, at = [], 8 + length
    while at < len(whole):
        ends.append(at)
        at += 4 + int.from_bytes(whole[at : at + 4], "big")
    return ends


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_else_is_raised(data: bytes) -> None:
    for kind in range(1, 6):
        for start in (b"", head(kind, VERSION, len(data)), head(kind, VERSION, len(data) // 2)):
            try:
                found = decode(start + data)
            except WireError:
                continue
            assert decode(encode(found)) == found


@settings(max_examples=300)
@given(st.sampled_from(ALL), st.data())
def test_damage_anywhere_is_refused_or_makes_another_message(
    message: Message, data: st.DataObject
) -> None:
    whole = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, min(len(whole), 4000) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(whole))
    except WireError:
        return
    assert decode(encode(found)) == found
