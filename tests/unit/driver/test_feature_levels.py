"""Members of older and newer builds, and the feature level that all of them must speak."""

from collections.abc import Sequence

import pytest

from replog.wire.problems import ApiError
from replog.wire.schemas import Done, LevelRequest, SnapshotRequest
from replog_node.frames.decode import controls
from replog_node.model.controls import CONTROL_LEVELS, ConfigurationChanged, SnapshotPoint
from replog_node.model.entries import Payload
from replog_node.model.features import LevelNotSpoken
from replog_node.raft.violation import InvariantViolation
from tests.unit.driver.rig import Answers, Node, Rig


def upgraded(node: Node, level: int) -> None:
    """Start it again as a build that speaks this level."""
    node.kill()
    node.speaks = level
    node.start()
    node.rig.tick(30)


def cluster(*levels: int, voters: int | None = None) -> Rig:
    """A founded cluster of builds that speak these levels."""
    rig = Rig(len(levels)).found(voters)
    for node, level in zip(rig.nodes, levels, strict=True):
        if level != node.speaks:
            upgraded(node, level)
    rig.tick(30)
    return rig


def leader(rig: Rig) -> Node:
    return next(n for n in rig.nodes if n.running is not None and n.running.kernel.leading)


def asked_to_raise(rig: Rig, level: int, at: Node | None = None) -> Answers:
    answers = (at or leader(rig)).call(LevelRequest(level))
    rig.deliver()
    rig.tick(3)
    return answers


def raises_in_the_log(node: Node) -> list[int]:
    """The levels that its log was raised to, one a record."""
    found = [control for entry in node.entries() for _, control in controls(entry)]
    return [
        control.configuration.feature_level
        for control in found
        if isinstance(control, ConfigurationChanged) and control.change == "feature-level"
    ]


def levels_in_force(rig: Rig) -> Sequence[int]:
    return [node.driver.feature_level for node in rig.nodes]


def test_a_cluster_of_mixed_builds_is_raised_once_the_last_one_is_upgraded() -> None:
    rig = cluster(2, 2, 1)
    old = rig.nodes[2]
    (refusal,) = asked_to_raise(rig, 2)
    assert isinstance(refusal, ApiError) and refusal.code == "feature_level_unsupported"
    assert old.member in refusal.detail and "not 2" in refusal.detail
    assert levels_in_force(rig) == [1, 1, 1]
    upgraded(old, 2)
    follower = next(node for node in rig.nodes if node is not leader(rig))
    first, again = (asked_to_raise(rig, 2, at=follower)[0] for _ in range(2))
    assert isinstance(first, Done) and first.offset is not None
    assert isinstance(again, Done) and again.offset is None, "nothing was written"
    assert levels_in_force(rig) == [2, 2, 2]
    assert raises_in_the_log(old) == [2]


def test_calls_that_come_together_are_answered_by_one_record() -> None:
    rig = cluster(3, 3, 3)
    lead = leader(rig)
    for node in rig.nodes:
        node.stalled = True
    first, second = lead.call(LevelRequest(2)), lead.call(LevelRequest(2))
    rig.tick(2)
    assert (first, second) == ([], []), "not before it is committed"
    for node in rig.nodes:
        node.stalled = False
    rig.deliver()
    assert first.codes == second.codes == ["ok"]
    assert raises_in_the_log(lead) == [2]
    assert asked_to_raise(rig, 3).codes == ["ok"]
    assert raises_in_the_log(lead) == [2, 3]


def test_a_level_is_never_lowered() -> None:
    rig = cluster(3, 3, 3)
    asked_to_raise(rig, 3)
    assert asked_to_raise(rig, 2).codes == ["feature_level_lower"]
    assert levels_in_force(rig) == [3, 3, 3]


def test_a_member_that_is_not_connected_could_be_anything() -> None:
    rig = cluster(2, 2, 2)
    away = next(node for node in rig.nodes if node is not leader(rig))
    rig.cut_off = {away.member}
    rig.tick(25)
    (refusal,) = asked_to_raise(rig, 2)
    assert isinstance(refusal, ApiError) and refusal.code == "feature_level_unknown"
    assert away.member in refusal.detail
    rig.cut_off = set()
    rig.tick(5)
    assert asked_to_raise(rig, 2).codes == ["ok"]


def test_an_older_build_does_not_start_on_a_log_of_a_higher_level() -> None:
    rig = cluster(2, 2, 2)
    asked_to_raise(rig, 2)
    follower = next(node for node in rig.nodes if node is not leader(rig))
    with pytest.raises(LevelNotSpoken, match="feature level 2 and this build speaks up to 1"):
        upgraded(follower, 1)
    follower.kill()
    upgraded(follower, 2)
    assert levels_in_force(rig) == [2, 2, 2]


def test_nor_on_a_snapshot_which_is_of_the_level_in_force_where_it_ends() -> None:
    rig = cluster(2, 2, 2)
    asked_to_raise(rig, 2)
    leader(rig).call(SnapshotRequest())
    rig.tick(60)
    snapshots = [node.driver.snapshot for node in rig.nodes]
    assert [s and s.feature_level for s in snapshots] == [2, 2, 2]
    assert len({s.digest for s in snapshots if s is not None}) == 1


def test_an_older_build_that_comes_between_the_append_and_the_commit_stops_before_it() -> None:
    rig = cluster(2, 2, 2)
    lead = leader(rig)
    returned, other = (node for node in rig.nodes if node is not lead)
    rig.cut_off = {returned.member, other.member}
    answers = lead.call(LevelRequest(2))
    lead.driver.flush()
    returned.kill()
    returned.speaks = 1
    returned.start()
    rig.cut_off = {other.member}
    with pytest.raises(LevelNotSpoken, match="the log from offset"):
        rig.tick(rig.core_limits.resend_ticks + 10)
    assert returned.driver.feature_level == 1, "it is not applied"
    assert answers.codes == ["ok"]


def test_a_new_member_that_can_not_speak_the_level_never_votes_and_is_named() -> None:
    rig = cluster(2, 2, 2, 1, voters=3)
    asked_to_raise(rig, 2)
    old, lead = rig.nodes[3], leader(rig)
    upgraded(old, 1)  # members say hello to it when it is about to be one of them
    assert rig.target(rig.nodes, "four").codes == ["ok"]
    rig.tick(rig.core_limits.learner_patience_ticks + 50)
    configuration = lead.driver.kernel.configuration()
    assert configuration is not None and not configuration.is_voter(old.member)
    waits = {wait.code: wait.evidence for wait in lead.driver.waits()}
    assert f"{old.member} speaks up to 1, the log is at 2" in waits["FeatureLevelUnsupported"]
    upgraded(old, 2)
    rig.tick(60)
    configuration = lead.driver.kernel.configuration()
    assert configuration is not None and configuration.is_voter(old.member)
    assert configuration.feature_level == 2, "a membership change keeps it"


def test_the_status_says_what_is_in_force_and_what_each_member_speaks() -> None:
    rig = cluster(2, 2, 3)
    asked_to_raise(rig, 2)
    status = rig.nodes[2].driver.status("", {})
    assert (status.feature_level, status.feature_level_spoken) == (2, 3)
    spoken = {member.id: member.feature_level_spoken for member in status.members}
    assert spoken == {node.member: node.speaks for node in rig.nodes}


def test_what_was_said_before_a_member_belonged_to_a_cluster_is_remembered() -> None:
    rig = Rig(3).found()
    for node in rig.nodes:
        spoken = [member.feature_level_spoken for member in node.driver.status("", {}).members]
        assert spoken == [1, 1, 1]


def test_a_record_of_a_higher_level_is_not_appended_before_that_is_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CONTROL_LEVELS, SnapshotPoint, 2)
    rig = cluster(2, 2, 2)
    early = leader(rig).call(SnapshotRequest())
    rig.tick(3)
    assert early.codes == ["feature_level_needed"]
    asked_to_raise(rig, 2)
    late = leader(rig).call(SnapshotRequest())
    rig.tick(3)
    assert late.codes == ["ok"]


def test_a_member_that_appends_such_a_record_all_the_same_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CONTROL_LEVELS, SnapshotPoint, 2)
    kernel = leader(cluster(2, 2, 2)).driver.kernel
    with pytest.raises(InvariantViolation, match="a SnapshotPoint needs feature level 2"):
        kernel.propose(Payload((SnapshotPoint("size"),)))
    assert kernel.core is None
