"""What a leader answers from what it knows: what a target would do, whether a member may stop.

Decides: when a member may be stopped: no change is under way, and without it enough others of each
half are caught up, and enough have room. Nothing is appended for an answer.
Must not know: who asks, how the question came.
Read next: admin.py, ../raft/membership.py.
"""

from typing import assert_never

from replog.wire.problems import ApiError
from replog.wire.schemas import MayStop, PlannedStep, TargetPlan, TargetRequest
from replog_node.driver.calls import Plan, Question, StopQuestion
from replog_node.driver.status import role_of
from replog_node.model.configuration import Configuration, Member, Target
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.positions import MemberId
from replog_node.raft.core import Core
from replog_node.raft.effects import Reason, Rejected
from replog_node.raft.quorum import Electorate
from replog_node.raft.state import CoreStatus


def answer_of(question: Question, core: Core | None) -> TargetPlan | MayStop | ApiError:
    """The leader's answer, or its refusal."""
    configuration = None if core is None else core.configuration
    if core is None or configuration is None:
        return ApiError("not_ready", "this member has no configuration", wait="NotCaughtUp")
    match question:
        case Plan(target=target):
            return _plan(core, target)
        case StopQuestion(member=member):
            return _may_stop(core, configuration, MemberId(member))
        case _:
            assert_never(question)


def target_of(request: TargetRequest) -> Target:
    """The request as the core takes it."""
    return Target(
        members=tuple(Member(MemberId(m.id), m.address, m.priority) for m in request.members),
        operation=request.operation,
        epoch=request.epoch,
        holder=request.holder,
        planned_from=request.planned_from,
    )


def _plan(core: Core, request: TargetRequest) -> TargetPlan | ApiError:
    at = core.status().configuration_offset
    verdict = core.plan(target_of(request))
    if not isinstance(verdict, Rejected):
        return TargetPlan([_step(change) for change in verdict], at, "nothing was changed")
    if verdict.reason is Reason.ALREADY_DONE:
        return TargetPlan([], at, verdict.detail or "done before")
    return ApiError(verdict.reason.value, verdict.detail)


def _step(change: ConfigurationChanged) -> PlannedStep:
    configuration = change.configuration
    return PlannedStep(
        step=change.change,
        voters=list(configuration.voter_ids()),
        outgoing=list(configuration.outgoing_ids()),
        learners=[member.id for member in configuration.learners],
    )


def _may_stop(core: Core, configuration: Configuration, member: MemberId) -> MayStop | ApiError:
    if member not in [found.id for found in configuration.members]:
        return ApiError("unknown_member", f"{member} is no member of the cluster")
    status = core.status()
    reasons = [*_changes(configuration), *_hindrances(core, status, configuration, member)]
    return MayStop(
        member=member,
        may_stop=not reasons,
        reasons=reasons,
        caught_up=core.caught_up(member),
        behind=_behind(status, member),
        role=role_of(configuration, member),
        leads=member == status.member,
    )


def _behind(status: CoreStatus, member: MemberId) -> int:
    """How much of what is committed it isn't known to hold."""
    if member == status.member:
        held = int(status.durable.offset)
    else:
        progress = status.progress.get(member)
        held = -1 if progress is None else int(progress.match.offset)
    return max(0, status.commit.offset - held)


def _changes(configuration: Configuration) -> list[str]:
    target = configuration.target
    wanted = None if target is None else sorted(member.id for member in target.members)
    if wanted in (None, list(configuration.voter_ids())) and not configuration.joint:
        return []
    return ["a membership change is under way; see `target` of GET /v1/cluster"]


def _hindrances(
    core: Core, status: CoreStatus, configuration: Configuration, member: MemberId
) -> list[str]:
    """Why the others could not go on without it. A learner is not needed by anybody."""
    electorate = Electorate.of(configuration)
    if member not in electorate.everyone:
        return []
    others = [other for other in electorate.everyone if other != member]
    well = [other for other in others if core.caught_up(other)]
    if not electorate.agreed(others):
        return ["without it no quorum is left: the others are too few"]
    if not electorate.agreed(well):
        return [_complaint(status, other) for other in others if other not in well]
    if not electorate.agreed([other for other in well if _roomy(status, other)]):
        return ["without it no quorum has room on disk"]
    return []


def _complaint(status: CoreStatus, member: MemberId) -> str:
    progress = status.progress.get(member)
    if progress is None or not progress.alive:
        return f"{member}, which would be needed then, does not answer"
    if not progress.whole:
        return f"{member}, which would be needed then, lacks a part of its log"
    return f"{member}, which would be needed then, is {_behind(status, member)} offsets behind"


def _roomy(status: CoreStatus, member: MemberId) -> bool:
    if member == status.member:
        return not (status.disk.low or status.disk.full)
    progress = status.progress.get(member)
    return progress is not None and not (progress.low or progress.full)
