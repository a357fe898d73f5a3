"""Which feature level may be in force next: pure, and at a leader."""

import pytest
from msgspec.structs import replace

from replog_node.model.configuration import Configuration
from replog_node.model.positions import MemberId
from replog_node.raft.effects import Accepted, Reason, Rejected
from replog_node.raft.events import LevelRequested, PeerSpeaks
from replog_node.raft.limits import CoreLimits
from replog_node.raft.membership import (
    judge_level,
    next_change,
    steps_from,
    with_level,
    with_target,
)
from tests.unit.raft.cluster import LIMITS, Cluster, members, target

MIXED = {MemberId(name): level for name, level in zip("abcde", (3, 3, 3, 2, 1), strict=True)}


def verdict(configuration: Configuration, level: int) -> tuple[str, str]:
    """The code of the refusal and its sentence."""
    refusal = judge_level(configuration, level, MIXED.get)
    return ("", "") if refusal is None else (refusal.reason.value, refusal.detail)


@pytest.mark.parametrize(
    ("configuration", "code", "named"),
    [
        (Configuration(members("abc")), "", ""),
        (Configuration(members("abd")), "feature_level_unsupported", "d speaks up to"),
        (Configuration(members("abc"), learners=members("e")), "feature_level_unsupported", "e "),
        (Configuration(members("abc"), outgoing=members("ad")), "feature_level_unsupported", "d "),
        (Configuration(members("abx")), "feature_level_unknown", "x "),
        (Configuration(members("abc"), feature_level=3), "already_done", "level 3"),
        (Configuration(members("abc"), feature_level=4), "feature_level_lower", "level 4"),
    ],
)
def test_every_member_of_either_half_and_every_learner_must_speak_it(
    configuration: Configuration, code: str, named: str
) -> None:
    found, detail = verdict(configuration, 3)
    assert found == code
    assert named in detail


def test_a_raise_changes_nothing_else_and_no_membership_change_lowers_it() -> None:
    before = Configuration(members("abc"), done=("op-1",), removed=(MemberId("r"),))
    raised = with_level(before, 2).configuration
    assert raised == replace(before, feature_level=2)
    steps = steps_from(with_target(raised, target("bcd", "op-2", 5), done_max=3), done_max=3)
    assert [step.change for step in steps] == ["target", "learners", "enter-joint", "leave-joint"]
    assert {step.configuration.feature_level for step in steps} == {2}
    at_once = with_target(raised, target("abc", "op-2", 5), done_max=3)
    assert at_once.configuration.feature_level == 2


def test_nobody_who_can_not_speak_it_enters_joint_however_long_that_takes() -> None:
    steps = steps_from(
        with_target(Configuration(members("abc")), target("abcd", "op", 1), done_max=3), done_max=3
    )

    def entered(barred: str) -> bool:
        step = next_change(
            steps[1].configuration, caught_up=lambda m: m != "d", patient=False, done_max=3,
            barred=lambda member: member in barred,
        )  # fmt: skip
        return step is not None

    assert entered("")
    assert not entered("d")


def test_a_raise_waits_for_a_configuration_that_is_not_committed() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, feature_level=2))
    a = cluster.elect("a")
    for name in "bc":
        a.step(PeerSpeaks(MemberId(name), 2))
        cluster.isolate(name)
    at = a.core.status().configuration_offset
    assert isinstance(a.aim(target("ab", "op", at)), Accepted)
    (refusal,) = a.step(LevelRequested(2, 0))
    assert isinstance(refusal, Rejected) and refusal.reason is Reason.CHANGE_IN_PROGRESS
    cluster.heal()
    cluster.run(20)
    accepted = a.step(LevelRequested(2, 0))
    assert any(isinstance(effect, Accepted) for effect in accepted)


def test_what_members_speak_is_remembered_of_so_many_only() -> None:
    cluster = Cluster("a", limits=CoreLimits(peers_max=2))
    a = cluster.elect("a")
    for name in "bcbd":
        a.step(PeerSpeaks(MemberId(name), 2))
    assert a.core.status().spoken == {"b": 2, "d": 2, "a": 1}
