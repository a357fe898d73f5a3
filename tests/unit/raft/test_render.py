"""The lines that scenario files are made of."""

import pytest

from replog_node.model.configuration import Configuration
from replog_node.model.positions import ORIGIN, MemberId, Offset, Position, Term
from replog_node.raft.effects import (
    Accepted,
    Commit,
    ConfigurationActive,
    Effect,
    FetchSnapshot,
    HandingOver,
    InstallSnapshot,
    MemberRemoved,
    Persist,
    ReadEntries,
    ReadFailed,
    ReadReady,
    Reason,
    Rejected,
    RoleChanged,
    Send,
    TransferEnded,
)
from replog_node.raft.events import (
    ClockAcknowledged,
    DiskState,
    EntriesRead,
    Event,
    HardState,
    PeerDown,
    PeerUp,
    Persisted,
    Proposed,
    ReadRequested,
    Received,
    SnapshotFetched,
    SnapshotKept,
    TargetRequested,
    Tick,
    TransferRequested,
)
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
from replog_node.raft.render import (
    render_configuration,
    render_effect,
    render_event,
    render_message,
    render_status,
)
from tests.unit.raft.cluster import Cluster, data, founding, members, snapshot_at, target

A, B = MemberId("a"), MemberId("b")
T2 = Term(2)
AT = Position(T2, Offset(4))
FIRST = founding("ab")
SNAPSHOT = snapshot_at(AT, Configuration(members("ab")))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (RequestVote(T2, AT, True, False, 1), "RequestVote t2 pre last=(2,4)"),
        (RequestVote(T2, AT, False, True, 1), "RequestVote t2 transfer last=(2,4)"),
        (VoteReply(T2, True, True, 1), "VoteReply t2 pre granted"),
        (VoteReply(T2, False, False, 1), "VoteReply t2 refused"),
        (AppendEntries(T2, 1, AT, Offset(4), ()), "AppendEntries t2 prev=(2,4) commit=4"),
        (
            AppendEntries(T2, 1, ORIGIN, Offset(-1), (FIRST,)),
            "AppendEntries t2 prev=(0,-1) 0..1 {a,b} commit=-1",
        ),
        (AppendReply(T2, 1, True, AT, AT), "AppendReply t2 ok match=4"),
        (AppendReply(T2, 1, False, ORIGIN, AT), "AppendReply t2 differs hint=(2,4)"),
        (Heartbeat(T2, Offset(4), 7, 0), "Heartbeat t2 round=7 commit=4"),
        (HeartbeatReply(T2, 7, 0), "HeartbeatReply t2 round=7"),
        (TimeoutNow(T2), "TimeoutNow t2"),
        (ReadIndexRequest(T2, 3), "ReadIndexRequest t2 read=3"),
        (ReadIndexReply(T2, 3, True, Offset(4)), "ReadIndexReply t2 read=3 index=4"),
        (AppendReply(T2, 1, True, AT, AT, full=True), "AppendReply t2 ok match=4 full"),
        (SnapshotOffer(T2, 1, SNAPSHOT), "SnapshotOffer t2 snapshot=(2,4)"),
        (
            HeartbeatReply(T2, 7, 0, low=True, full=True, whole=False),
            "HeartbeatReply t2 round=7 low full damaged",
        ),
        (ReadIndexReply(T2, 3, False, Offset(-1)), "ReadIndexReply t2 read=3 refused"),
    ],
)
def test_a_message_is_one_line(message: CoreMessage, line: str) -> None:
    assert render_message(A, B, message) == f"a → b {line}"


@pytest.mark.parametrize(
    ("effect", "line"),
    [
        (Persist(3, HardState(T2, A), None, ()), "a persists #3 t2 vote=a"),
        (Persist(3, None, AT, (FIRST,)), "a persists #3 cut to (2,4) 0..1 {a,b}"),
        (Send(B, TimeoutNow(T2), 0), "a → b TimeoutNow t2"),
        (Send(B, TimeoutNow(T2), 3), "a → b TimeoutNow t2 after #3"),
        (Commit(AT), "a commits 4"),
        (ReadEntries(B, AT, 9), "a reads after (2,4) for b"),
        (ReadReady(3, Offset(4)), "a read 3 ready at 4"),
        (ReadFailed(3), "a read 3 failed"),
        (Accepted(FIRST), "a accepted as 0..1 {a,b} t1"),
        (Rejected(Reason.STALE_PLAN, "why"), "a rejected stale_plan: why"),
        (Rejected(Reason.NOT_LEADER), "a rejected not_leader"),
        (TransferEnded(B, True), "a transfer to b done"),
        (TransferEnded(B, False), "a transfer to b failed"),
        (RoleChanged("follower", T2, B, Offset(-1)), "a is follower of b t2"),
        (RoleChanged("leader", T2, A, Offset(4)), "a is leader t2"),
        (RoleChanged("candidate", T2, None, Offset(-1)), "a is candidate t2"),
        (ConfigurationActive(Offset(4), Configuration(members("ab"))), "a configuration 4 {a,b}"),
        (MemberRemoved(Offset(4)), "a removed at 4"),
        (InstallSnapshot(3, SNAPSHOT), "a installs #3 snapshot (2,4)"),
        (FetchSnapshot(SNAPSHOT, B), "a fetches snapshot (2,4) of b"),
        (HandingOver(B, "slow_disk"), "a hands over to b: slow_disk"),
    ],
)
def test_an_effect_is_one_line(effect: Effect, line: str) -> None:
    assert render_effect(A, effect) == line


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Tick(5), "a tick 5 ms"),
        (
            Received(Envelope(B, A, Incarnation(1, 1), None, TimeoutNow(T2)), 5),
            "b → a TimeoutNow t2",
        ),
        (Proposed(data(3), 5), "a proposed 3"),
        (Persisted(3), "a persisted #3"),
        (SnapshotFetched(SNAPSHOT), "a snapshot (2,4) fetched"),
        (SnapshotKept(SNAPSHOT, AT), "a keeps snapshot (2,4), log starts at (2,4)"),
        (DiskState(9, False, False), "a disk 9 free"),
        (
            DiskState(9, True, True, Offset(3), AT, True),
            "a disk 9 free low full lacking hole at 3 unproven to (2,4)",
        ),
        (EntriesRead(B, AT, (FIRST,)), "a read for b: 0..1 {a,b}"),
        (EntriesRead(B, AT, None), "a read for b: nothing"),
        (PeerUp(B), "a peer b up"),
        (PeerDown(B), "a peer b down"),
        (ReadRequested(3), "a read 3 requested"),
        (TargetRequested(target("ab", "op", 1), 5), "a target {a,b} requested by op"),
        (TransferRequested(B), "a transfer to b requested"),
        (TransferRequested(None), "a transfer to the best requested"),
        (ClockAcknowledged(), "a clock acknowledged"),
    ],
)
def test_an_event_is_one_line(event: Event, line: str) -> None:
    assert render_event(A, event) == line


@pytest.mark.parametrize(
    ("configuration", "line"),
    [
        (Configuration(members("ba")), "{a,b}"),
        (Configuration(members("bc"), outgoing=members("ab")), "{a,b}→{b,c}"),
        (Configuration(members("a"), learners=members("b")), "{a} +{b}"),
        (Configuration(members("a"), target=target("ab", "op", 1)), "{a} !{a,b} op"),
        (Configuration(members("a"), target=target("a", "op", 1), done=("op",)), "{a}"),
    ],
)
def test_a_configuration_shows_where_it_is_going(configuration: Configuration, line: str) -> None:
    assert render_configuration(configuration) == line


def test_a_status_is_one_line_that_says_what_is_unusual() -> None:
    cluster = Cluster("ab", others="x")
    a = cluster.elect("a")
    cluster.run(2)
    assert render_status(a.core.status()) == "a leader   t2 log=0..2 commit=2"
    assert render_status(cluster["b"].core.status()) == "b follower t2 leader=a log=0..2 commit=2"
    assert render_status(cluster["x"].core.status()) == "x follower t0 log=empty commit=-1"
    a.disk.stalled = True
    cluster.isolate("b")
    a.propose()
    a.transfer("b")
    assert render_status(a.core.status()) == (
        "a leader   t2 log=0..3 commit=2 durable=2 transferring=b"
    )
