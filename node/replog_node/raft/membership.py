"""From the membership that is to the membership that was asked for (thesis 4; design, Membership).

The feature level rises the same way, since it rests on who belongs.

Pure: a configuration and facts about members in, the next configuration or a refusal out. One
operation makes exactly one enter-joint and one leave-joint record, whoever leads meanwhile,
because what was done stands in the configuration itself.

Decides: which target is valid, and the next configuration on the way.
Must not know: who leads, how it is committed (leader.py).
Read next: leader.py.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from replog_node.model.configuration import Configuration, Member, Target
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.positions import MemberId, Offset
from replog_node.raft.effects import Reason, Rejected
from replog_node.raft.quorum import Electorate

TARGET: Final = "target"
LEARNERS: Final = "learners"
ENTER: Final = "enter-joint"
LEAVE: Final = "leave-joint"
LEVEL: Final = "feature-level"

PRIORITY_MAX: Final = 100
"""The highest priority of a member; the lowest is as far below zero."""

REMOVED_MAX: Final = 128
"""Removed members remembered in the configuration; an older one would simply not answer."""


def judge_operator(configuration: Configuration, epoch: int, holder: str) -> Rejected | None:
    """None unless another operator than this holder of an epoch has set a target since."""
    held = configuration.target
    if held is not None and epoch < held.epoch:
        return Rejected(Reason.STALE_EPOCH, f"epoch {held.epoch} of {held.holder} has come since")
    if held is not None and epoch == held.epoch and holder != held.holder:
        return Rejected(Reason.OTHER_HOLDER, f"epoch {held.epoch} is held by {held.holder}")
    return None


def judge_target(
    configuration: Configuration, offset: Offset, target: Target, *, voters_max: int
) -> Rejected | None:
    """None if the target may be committed now; else why not, and nothing changes."""
    held = configuration.target
    if target.operation in configuration.done:
        return Rejected(Reason.ALREADY_DONE, f"operation {target.operation} was carried out")
    if held is not None and held.operation == target.operation:
        return Rejected(Reason.ALREADY_DONE, f"operation {target.operation} is being carried out")
    deposed = judge_operator(configuration, target.epoch, target.holder)
    if deposed is not None:
        return deposed
    if configuration.joint:
        return Rejected(Reason.CHANGE_IN_PROGRESS, "wait until the joint change has ended")
    if target.planned_from != offset:
        return Rejected(
            Reason.STALE_PLAN,
            f"planned from {target.planned_from}, the configuration is at {offset}",
        )
    fault = _fault(target, voters_max) or _revenants(target, configuration)
    return None if fault is None else Rejected(Reason.INVALID_TARGET, fault)


def _fault(target: Target, voters_max: int) -> str | None:
    ids = [member.id for member in target.members]
    if not target.operation:
        return "an operation id is required"
    if not 1 <= len(ids) <= voters_max:
        return f"{len(ids)} members; 1…{voters_max} are possible"
    if len(set(ids)) != len(ids) or not all(ids):
        return "members must have ids of their own"
    if not all(member.address for member in target.members):
        return "every member needs an address"
    if not all(abs(member.priority) <= PRIORITY_MAX for member in target.members):
        return f"priorities lie between -{PRIORITY_MAX} and {PRIORITY_MAX}"
    return None


def _revenants(target: Target, configuration: Configuration) -> str | None:
    """A removed member is parked for good; it comes back with an empty directory and a new id."""
    for member in target.members:
        if member.id in configuration.removed:
            return f"{member.id} was removed; it needs an empty directory, which makes a new id"
    return None


def with_target(
    configuration: Configuration, target: Target, *, done_max: int
) -> ConfigurationChanged:
    """The configuration that holds the target; reached at once if these are the voters already."""
    if set(_ids(target.members)) != set(configuration.voter_ids()):
        changed = replace(configuration, target=target)
    else:
        changed = Configuration(
            voters=target.members,
            target=target,
            target_reached=True,
            done=_with_done(configuration, target.operation, done_max),
            removed=configuration.removed,
            feature_level=configuration.feature_level,
        )
    return ConfigurationChanged(TARGET, target.operation, changed)


def judge_level(
    configuration: Configuration, level: int, spoken: Callable[[MemberId], int | None]
) -> Rejected | None:
    """None if the feature level may be raised to this one; else why not, and nothing changes.

    spoken: what a member speaks; None: it isn't known, or may not be so any more.
    """
    held = configuration.feature_level
    if level == held:
        return Rejected(Reason.ALREADY_DONE, f"the log is at feature level {held}")
    if level < held:
        return Rejected(
            Reason.LEVEL_LOWER,
            f"the log is at feature level {held}, and what was written at it can't be unwritten",
        )
    for member in configuration.members:
        speaks = spoken(member.id)
        if speaks is None:
            what = f"what {member.id} speaks is not known: it isn't connected to the leader"
            return Rejected(Reason.LEVEL_UNKNOWN, what)
        if speaks < level:
            what = f"{member.id} speaks up to feature level {speaks}, not {level}"
            return Rejected(Reason.LEVEL_UNSUPPORTED, what)
    return None


def with_level(configuration: Configuration, level: int) -> ConfigurationChanged:
    """The same configuration at another feature level."""
    return ConfigurationChanged(LEVEL, "", replace(configuration, feature_level=level))


def next_change(
    configuration: Configuration,
    *,
    caught_up: Callable[[MemberId], bool],
    patient: bool,
    done_max: int,
    barred: Callable[[MemberId], bool] = lambda _: False,
) -> ConfigurationChanged | None:
    """The next step towards the target from a *committed* configuration; None: there, or wait.

    caught_up: whether a member lives and holds what was committed a while ago. patient: whether
    learners that are still behind are worth waiting for; without it a quorum of the new set is
    enough (and always necessary). barred: whether a member can't speak the feature level in
    force; nobody who can't becomes a voter, however long that takes.
    """
    target = configuration.target
    if target is None:
        return None
    if configuration.joint:
        return _leave(configuration, target, done_max)
    if set(_ids(target.members)) == set(configuration.voter_ids()):
        return None
    wanted = tuple(m for m in target.members if m.id not in configuration.voter_ids())
    if set(_ids(wanted)) != set(_ids(configuration.learners)):
        learning = replace(configuration, learners=wanted)
        return ConfigurationChanged(LEARNERS, target.operation, learning)
    if any(barred(member.id) for member in wanted):
        return None
    if not _ready_to_enter(target, wanted, caught_up, patient=patient):
        return None
    joint = replace(
        configuration, voters=target.members, outgoing=configuration.voters, learners=()
    )
    return ConfigurationChanged(ENTER, target.operation, joint)


def steps_from(first: ConfigurationChanged, *, done_max: int) -> list[ConfigurationChanged]:
    """All changes from the one that records a target on, if every member is caught up in time."""
    steps = [first]
    while True:
        following = next_change(
            steps[-1].configuration, caught_up=lambda _: True, patient=True, done_max=done_max
        )
        if following is None:
            return steps
        steps.append(following)


def _leave(configuration: Configuration, target: Target, done_max: int) -> ConfigurationChanged:
    settled = Configuration(
        voters=configuration.voters,
        target=target,
        target_reached=True,
        done=_with_done(configuration, target.operation, done_max),
        removed=_with_removed(configuration),
        feature_level=configuration.feature_level,
    )
    return ConfigurationChanged(LEAVE, target.operation, settled)


def _ready_to_enter(
    target: Target,
    learners: tuple[Member, ...],
    caught_up: Callable[[MemberId], bool],
    *,
    patient: bool,
) -> bool:
    ready = [member.id for member in target.members if caught_up(member.id)]
    if not Electorate(tuple(sorted(_ids(target.members)))).agreed(ready):
        return False
    return not patient or all(member.id in ready for member in learners)


def _with_done(configuration: Configuration, operation: str, done_max: int) -> tuple[str, ...]:
    return (*configuration.done, operation)[-done_max:]


def _with_removed(configuration: Configuration) -> tuple[MemberId, ...]:
    staying = configuration.voter_ids()
    leaving = tuple(m for m in configuration.outgoing_ids() if m not in staying)
    return (*configuration.removed, *leaving)[-REMOVED_MAX:]


def _ids(members: tuple[Member, ...]) -> tuple[MemberId, ...]:
    return tuple(member.id for member in members)
