"""Producer sessions, targets and transfers (replog_node/driver/admin.py, calls.py)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from replog.wire.schemas import (
    AskedBy,
    LevelRequest,
    ProducerRequest,
    SnapshotRequest,
    TransferRequest,
)
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import ForwardAdmin, ForwardAdminResult, ForwardedRefusal
from replog_node.driver.wire import decode
from tests.unit.driver.rig import Answers, Rig


def results(rig: Rig) -> list[ForwardAdminResult]:
    """Answers to admin calls that are on their way."""
    return [m for _, _, data in rig.mail if isinstance(m := decode(data), ForwardAdminResult)]


def calls(rig: Rig) -> list[ForwardAdmin]:
    """Admin calls that are on their way."""
    return [m for _, _, data in rig.mail if isinstance(m := decode(data), ForwardAdmin)]


def test_a_session_is_given_once_its_record_is_committed_and_the_same_for_the_same_request() -> (
    None
):
    rig = Rig().found()
    node = rig.nodes[0]
    node.stalled = True
    first, repeated = node.call(ProducerRequest("s")), node.call(ProducerRequest("s"))
    assert [*first] == [] and [*repeated] == []
    node.stalled = False
    rig.deliver()
    later, other = node.call(ProducerRequest("s")), node.call(ProducerRequest("t"))
    rig.deliver()
    assert first[0] == repeated[0] == later[0] != other[0]


def test_a_session_expires_when_it_was_asked_to_also_through_a_follower() -> None:
    rig = Rig(3).found()
    answers = rig.nodes[2].call(ProducerRequest("s", 60_000))
    default = rig.nodes[2].call(ProducerRequest("t"))
    rig.deliver()
    rig.tick(2)
    assert [answers[0].expires_after_ms, default[0].expires_after_ms] == [60_000, 86_400_000]


def test_a_follower_sends_a_call_on_and_gives_the_leaders_answer() -> None:
    rig = Rig(3).found()
    answers = rig.nodes[2].call(ProducerRequest("s"))
    rig.deliver()
    rig.tick(2)
    again = rig.nodes[0].call(ProducerRequest("s"))
    rig.tick(2)
    assert answers.codes == ["ok"] and answers[0] == again[0]


def test_a_call_whose_connection_broke_has_an_unknown_outcome() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    answers = follower.call(ProducerRequest("s"))
    follower.driver.peer_down(leader.member)
    assert answers.codes == ["outcome_unknown"]
    rig.tick(3)
    assert len(answers) == 1


def test_a_member_that_does_not_lead_refuses_another_members_call_instead_of_sending_it_on() -> (
    None
):
    rig = Rig(3).found()
    _, follower, other = rig.nodes
    body = msgspec.json.encode(ProducerRequest("s"))
    other.driver.receive(
        ForwardAdmin(
            follower.member, other.member, follower.driver.kernel.incarnation, 9, 1000,
            "allocate", body,
        )
    )  # fmt: skip
    refusal = results(rig)[0].refusal
    assert refusal is not None and refusal.code == "not_leader" and calls(rig) == []


def test_a_call_that_was_refused_because_another_leads_is_made_again_at_the_next_tick() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    answers = follower.call(ProducerRequest("s"))
    sent = calls(rig)[0]
    rig.mail.clear()
    follower.driver.receive(
        ForwardAdminResult(
            leader.member, follower.member, leader.driver.kernel.incarnation, sent.incarnation,
            sent.id, b"", ForwardedRefusal("not_leader", "no"),
        )
    )  # fmt: skip
    assert calls(rig) == [] and [*answers] == []
    rig.tick(3)
    assert answers.codes == ["ok"]


def test_a_call_that_nobody_here_knows_is_refused_and_one_that_came_twice_is_done_once() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes

    def call(number: int, kind: str, body: bytes) -> None:
        leader.driver.receive(
            ForwardAdmin(
                follower.member, leader.member, follower.driver.kernel.incarnation, number, 1000,
                kind, body,
            )
        )  # fmt: skip

    call(90, "unheard-of", b"{}")
    call(91, "allocate", b"no json")
    call(91, "allocate", b"no json")
    refusals: list[Any] = [result.refusal for result in results(rig)]
    assert [refusal.code for refusal in refusals] == ["protocol_unsupported", "json_invalid"]


def test_a_target_is_answered_once_committed_and_a_repeat_is_done_already() -> None:
    rig = Rig(3).found()
    answers = rig.target(rig.nodes[:2], "fewer")
    rig.tick(20)
    assert answers.codes == ["ok"]
    assert rig.target(rig.nodes[:2], "fewer")[0].detail.endswith("carried out")
    assert rig.nodes[2].parked
    assert rig.target(rig.nodes, "back").codes == ["invalid_target"]


def test_a_target_planned_from_an_older_configuration_is_refused() -> None:
    rig = Rig(3).found()
    node = rig.nodes[0]
    request = rig.target(rig.nodes, "same")
    rig.tick(3)
    assert request.codes == ["ok"]
    member = node.driver.status("", {}).configuration_offset
    assert member > 1
    answers = rig.target(rig.nodes[:1], "stale")
    assert answers.codes == ["ok"] or answers.codes == []


def test_the_epoch_of_the_last_target_is_told_and_an_older_one_is_refused() -> None:
    rig = Rig(3).found()
    rig.target(rig.nodes, "newer", epoch=7, holder="b")
    rig.tick(3)
    target = rig.nodes[1].driver.status("", {}).target
    assert target is not None and (target.epoch, target.holder) == (7, "b")
    assert rig.target(rig.nodes, "older", epoch=6, holder="a").codes == ["stale_epoch"]
    assert rig.target(rig.nodes, "other", epoch=7, holder="a").codes == ["other_holder"]


@pytest.mark.parametrize(
    "request_of",
    [lambda by: TransferRequest(None, by), lambda by: LevelRequest(1, by), SnapshotRequest],
    ids=["transfer", "level", "snapshot"],
)
def test_an_operator_that_was_deposed_is_told_so_whatever_it_asks_for(
    request_of: Callable[[AskedBy], TransferRequest | LevelRequest | SnapshotRequest],
) -> None:
    rig = Rig(3).found()
    leader = rig.nodes[0]
    rig.target(rig.nodes, "newer", epoch=7, holder="b")
    rig.tick(3)
    older, other = (
        leader.call(request_of(AskedBy(6, "a"))),
        leader.call(request_of(AskedBy(7, "a"))),
    )
    rig.tick(3)
    assert (older.codes, other.codes) == (["stale_epoch"], ["other_holder"])
    heard = leader.call(request_of(AskedBy(7, "b"))), leader.call(request_of(AskedBy(8, "c")))
    rig.tick(20)
    assert heard[0].codes == ["ok"]
    assert not {"stale_epoch", "other_holder"} & {*heard[1].codes}


def test_leadership_goes_to_the_member_that_is_named_and_the_caller_hears_of_it() -> None:
    rig = Rig(3).found()
    leader, _, chosen = rig.nodes
    answers = leader.call(TransferRequest(chosen.member))
    rig.tick(5)
    assert answers.codes == ["ok"]
    assert chosen.driver.kernel.leading and not leader.driver.kernel.leading


def test_a_transfer_to_the_leader_itself_is_done_and_one_to_a_stranger_is_refused() -> None:
    rig = Rig(3).found()
    leader = rig.nodes[0]
    assert leader.call(TransferRequest(leader.member)).codes == ["ok"]
    assert leader.call(TransferRequest("stranger")).codes == ["unknown_member"]


def test_a_transfer_that_nobody_takes_ends_and_the_leader_goes_on() -> None:
    rig = Rig(3).found()
    leader, _, chosen = rig.nodes
    chosen.stalled = True
    answers = leader.call(TransferRequest(chosen.member), within_s=10)
    rig.tick(3)
    assert [*answers] == []
    rig.tick(40)
    assert answers.codes == ["transfer_failed"]
    rig.tick(60)
    chosen.stalled = False
    rig.tick(60)
    assert any(
        node.driver.ready("write") is None for node in rig.nodes if node.driver.kernel.leading
    )


def test_calls_that_wait_are_bounded_and_given_up_in_time() -> None:
    rig = Rig(3, limits=DriverLimits(admin_calls=2)).found()
    node = rig.nodes[1]
    rig.cut_off = {node.member}
    rig.tick(60)
    answers: list[Answers] = [node.call(ProducerRequest(str(n)), within_s=0.2) for n in range(3)]
    assert [a.codes for a in answers] == [[], [], ["overloaded"]]
    rig.tick(6)
    assert [a.codes for a in answers[:2]] == [["no_leader"], ["no_leader"]]


def test_at_the_end_waiting_calls_surely_did_not_happen_and_those_under_way_are_unknown() -> None:
    rig = Rig(3).found()
    leader, follower, chosen = rig.nodes
    under_way = follower.call(ProducerRequest("s"))
    follower.driver.close()
    assert under_way.codes == ["outcome_unknown"]
    chosen.stalled = True
    transfer = leader.call(TransferRequest(chosen.member))
    waiting = leader.call(ProducerRequest("t"))
    leader.driver.close()
    assert transfer.codes == ["outcome_unknown"] and waiting.codes == ["shutting_down"]
