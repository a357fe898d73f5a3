"""Trims, snapshot points and fences as calls, at the leader and through a follower."""

import pytest

from replog.wire.problems import ApiError
from replog.wire.schemas import (
    Done,
    ProducerRequest,
    ProducerResolved,
    SnapshotRequest,
    TrimRequest,
)
from replog_node.driver.calls import Resolve
from tests.unit.driver.rig import Answers, Node, Rig, batch

TAKERS = pytest.mark.parametrize("taker", [0, 2], ids=["leader", "follower"])


def asked(rig: Rig, node: Node, request: object) -> Answers:
    answers = node.call(request)
    rig.deliver()
    rig.tick(3)
    return answers


@TAKERS
def test_a_trim_moves_the_start_of_the_log_at_every_member(taker: int) -> None:
    rig = Rig(3).found()
    rig.nodes[0].append(batch("a"), batch("b"))
    rig.deliver()
    rig.tick(2)
    end = rig.nodes[0].driver.applied.offset + 1
    (done,) = asked(rig, rig.nodes[taker], TrimRequest(end - 1))
    assert isinstance(done, Done) and done.offset is not None
    assert [node.driver.applied.log_start for node in rig.nodes] == [end - 1] * 3
    (again,) = asked(rig, rig.nodes[taker], TrimRequest(end - 1))
    assert isinstance(again, Done) and again.offset is None, "nothing was written"


@TAKERS
def test_a_trim_beyond_what_is_committed_is_refused_and_names_the_end(taker: int) -> None:
    rig = Rig(3).found()
    end = rig.nodes[0].driver.applied.offset + 1
    (refusal,) = asked(rig, rig.nodes[taker], TrimRequest(end + 1))
    assert isinstance(refusal, ApiError) and refusal.code == "offset_out_of_range"
    assert refusal.extra == {"end_offset": end}
    assert rig.nodes[0].driver.applied.log_start == 0


@TAKERS
def test_a_snapshot_point_is_the_same_offset_everywhere(taker: int) -> None:
    rig = Rig(3).found()
    (done,) = asked(rig, rig.nodes[taker], SnapshotRequest())
    assert isinstance(done, Done)
    assert [node.driver.applied.point for node in rig.nodes] == [done.offset] * 3


@TAKERS
def test_a_fence_answers_after_its_commit_and_the_same_again(taker: int) -> None:
    rig = Rig(3).found()
    (session,) = asked(rig, rig.nodes[0], ProducerRequest("s"))
    producer = session.producer_id
    found = batch("a", session=(producer, 0))
    rig.nodes[1].append(found)
    rig.deliver()
    rig.tick(3)
    last = rig.nodes[0].driver.applied.last_record
    first, again = (asked(rig, rig.nodes[taker], Resolve(producer, 0))[0] for _ in range(2))
    assert first == ProducerResolved(producer, 1, 0, last, repeated=False)
    assert again == ProducerResolved(producer, 1, 0, last, repeated=True)
    late = rig.nodes[1].append(found)
    rig.deliver()
    rig.tick(3)
    assert late.codes == ["producer_fenced"]
