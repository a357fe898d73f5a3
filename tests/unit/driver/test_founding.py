"""How a member comes to its cluster (replog_node/driver/founding.py)."""

from replog.wire.schemas import BootstrapRequest
from replog_node.driver.founding import CALLERS_MAX
from replog_node.driver.standing import Standing
from replog_node.model.positions import ClusterId, Lineage
from tests.unit.driver.rig import CLUSTER, Answers, Node, Rig

REQUEST = BootstrapRequest(CLUSTER, "found")
LINEAGE = Lineage(1, "abc")


def bootstrap(node: Node, request: BootstrapRequest = REQUEST) -> Answers:
    answers = Answers()
    node.driver.bootstrap(request, answers)
    return answers


def test_founding_is_answered_only_when_the_first_entry_is_durable() -> None:
    rig = Rig()
    node = rig.nodes[0]
    answers = bootstrap(node)
    assert [*answers] == [] and len(node.assigns) == 1
    node.stalled = True
    rig.deliver()
    assert [*answers] == []
    node.stalled = False
    rig.deliver()
    assert answers[0].offset == 1
    assert node.driver.membership.standing is Standing.MEMBER


def test_a_founder_that_died_between_assignment_and_first_entry_goes_on_at_its_next_start() -> None:
    rig = Rig()
    node = rig.nodes[0]
    bootstrap(node)
    assert node._store is not None  # the crash comes right after this one call of the disk
    node._store.assign(*node.assigns.popleft())
    node.kill()
    node.start()
    repeated = bootstrap(node)
    assert [*repeated] == []
    rig.deliver()
    rig.tick(2)
    assert repeated.codes == ["ok"]
    assert node.driver.kernel.leading


def test_the_same_call_again_is_answered_as_done_and_any_other_is_refused() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    assert bootstrap(node)[0].detail == "founded before"
    assert bootstrap(node, BootstrapRequest(CLUSTER, "other")).codes == ["already_bootstrapped"]
    other = BootstrapRequest("00000000-0000-4000-8000-00000000c106", "found")
    assert bootstrap(node, other).codes == ["already_bootstrapped"]


def test_a_founder_that_runs_no_core_any_more_still_answers_the_same_call() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    node.driver.fence(Lineage(2, "newer"))
    assert bootstrap(node)[0].detail == "founded before"


def test_a_founding_without_an_operation_is_refused_and_changes_nothing() -> None:
    node = Rig().nodes[0]
    assert bootstrap(node, BootstrapRequest(CLUSTER, "")).codes == ["body_invalid"]
    assert not node.assigns


def test_callers_that_wait_for_a_founding_are_bounded() -> None:
    node = Rig().nodes[0]
    refused = [bootstrap(node).codes for _ in range(CALLERS_MAX + 1)]
    assert refused[:-1] == [[]] * CALLERS_MAX and refused[-1] == ["overloaded"]


def test_a_member_is_adopted_once_that_is_durable_and_by_one_cluster_only() -> None:
    rig = Rig()
    node = rig.nodes[0]
    answers, others = Answers(), Answers()
    node.driver.adopt(ClusterId(CLUSTER), LINEAGE, answers)
    node.driver.adopt(ClusterId(CLUSTER), Lineage(1, "other"), others)
    assert [*answers] == [] and [*others] == [False]
    rig.deliver()
    assert [*answers] == [True]
    node.driver.adopt(ClusterId(CLUSTER), LINEAGE, answers)
    node.driver.adopt(ClusterId("another"), LINEAGE, others)
    assert answers[-1] is True and others[-1] is False
    node.kill()
    node.start()
    assert node.driver.membership.cluster_id == CLUSTER


def test_a_bootstrap_of_a_member_that_is_being_adopted_is_refused() -> None:
    node = Rig().nodes[0]
    node.driver.adopt(ClusterId(CLUSTER), LINEAGE, lambda _: None)
    assert bootstrap(node).codes == ["already_bootstrapped"]


def test_who_waits_for_a_founding_when_the_member_stops_is_told_so() -> None:
    node = Rig().nodes[0]
    answers = bootstrap(node)
    node.driver.close()
    assert answers.codes == ["shutting_down"]
