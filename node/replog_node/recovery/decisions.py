"""What recovery asks of a member, decided: who may fence it, what it says, whether it may go on.

Pure: what is remembered, what is asked and what is known in; a refusal or a value out.

Decides: every precondition of a fence and of a forced recovery, and its sentence.
Must not know: files, threads, HTTP.
Read next: record.py, forcing.py.
"""

from typing import Final

from msgspec.structs import replace

from replog.wire.problems import ApiError
from replog.wire.recovery import ForceMembersRequest, Survey
from replog_node.model.configuration import Configuration
from replog_node.model.entries import Tail
from replog_node.model.positions import ORIGIN, Lineage, Offset, Position, Term
from replog_node.raft.membership import REMOVED_MAX
from replog_node.recovery.record import Fence, Force

CONTROLS_OF_FORCE: Final = 2
"""Records of the entry with which a forced life of the log begins: its name, its configuration."""


def held_back(fence: Fence, own: Lineage | None, in_force: int) -> str:
    """Return why this member must say nothing in its log, "" if it may.

    in_force: the lineage number that the lineage file names, 0 for none.
    """
    if fence.operation:
        return f"operation {fence.operation} has fenced this member"
    number = max(fence.heard, in_force)
    if own is not None and number > own.number:
        return f"lineage {number} of this log exists, and this member's is {own}"
    return ""


def refuse_fence(fence: Fence, operation: str) -> ApiError | None:
    """Return why this operation can't fence the member; None if it can, or has."""
    if not operation:
        return ApiError("body_invalid", "a fence needs an operation id")
    if fence.force is not None:
        return _conflict(fence.force.operation, "is making this member go on alone")
    if fence.operation not in ("", operation):
        return _conflict(fence.operation, "holds the fence of this member")
    if fence.ended == operation:
        return _conflict(operation, "has ended here; fence anew by another operation id")
    return None


def refuse_unfence(fence: Fence, operation: str) -> ApiError | None:
    """Return why this operation can't lift the fence; None if it can, or there is none."""
    if fence.force is not None:
        return _conflict(fence.force.operation, "is making this member go on alone")
    if fence.operation not in ("", operation):
        return _conflict(fence.operation, "holds the fence of this member")
    return None


def fenced(fence: Fence, operation: str, commit_offset: int) -> Fence:
    """Return what is remembered once this operation has fenced the member."""
    if fence.operation == operation:
        return fence
    return replace(
        fence, operation=operation, commit_offset=max(fence.commit_offset, commit_offset)
    )


def unfenced(fence: Fence) -> Fence:
    """Return what is remembered once the fence is lifted."""
    return replace(fence, operation="", ended=fence.operation or fence.ended)


def heard(fence: Fence, number: int) -> Fence:
    """Return what is remembered once another member has told of this lineage."""
    return replace(fence, heard=max(fence.heard, number))


def carried_out(fence: Fence) -> Fence:
    """Return what is remembered once the order to go on alone is carried out."""
    if fence.force is None:
        return fence
    return replace(unfenced(fence), commit_offset=-1, force=None, forced=fence.force)


def given_up(fence: Fence) -> Fence:
    """Return what is remembered once the order can't be carried out: the fence stays."""
    return replace(fence, force=None)


def refuse_force(request: ForceMembersRequest, fence: Fence, survey: Survey) -> ApiError | None:
    """Return why this member may not go on alone; None if it may. Nothing is done by a refusal."""
    if fence.operation != request.operation or not request.operation:
        holder = f"operation {fence.operation} does" if fence.operation else "nobody does"
        return ApiError(
            "not_fenced", f"operation {request.operation} doesn't hold the fence here, {holder}"
        )
    fault = (
        _another_number(request, survey)
        or _moved(request, survey)
        or _unfit(survey)
        or _not_all_stopped(request, survey)
    )
    return None if fault is None else ApiError("recovery_refused", fault)


def already(request: ForceMembersRequest, fence: Fence) -> Force | None:
    """Return the order that this very request has given before, carried out or not yet."""
    for force in (fence.force, fence.forced):
        if force is not None and (force.operation, force.lineage.number) == (
            request.operation, request.number,
        ):  # fmt: skip
            return force
    return None


def configuration_offset_of(force: Force) -> int:
    """Return where the forced configuration stands in the log."""
    return force.position.offset + CONTROLS_OF_FORCE


def alone(configuration: Configuration, member: str) -> Configuration | None:
    """Return the configuration in which this voter goes on alone; None if it is no voter.

    The others are named as removed: their identities are never taken in again, whatever comes back.
    """
    mine = [m for m in (*configuration.voters, *configuration.outgoing) if m.id == member]
    if not mine:
        return None
    others = tuple(m.id for m in configuration.members if m.id != member)
    known = tuple(id_ for id_ in configuration.removed if id_ not in others)
    return replace(
        configuration,
        voters=(mine[0],),
        outgoing=(),
        learners=(),
        target=None,
        removed=(*known, *others)[-REMOVED_MAX:],
    )


def survey(
    *,
    member: str,
    fence: Fence,
    cluster_id: str,
    lineage: Lineage,
    term: Term,
    tail: Tail,
    commit_offset: int,
    log_start_offset: int,
    configuration_offset: int,
    configuration: Configuration | None,
    whole: bool,
) -> Survey:
    """Return what the member has, in the words of the wire."""
    return Survey(
        member=member,
        fenced_by=fence.operation,
        cluster_id=cluster_id,
        lineage=str(lineage),
        number=lineage.number,
        term=term,
        last_term=tail.position.term,
        last_offset=tail.position.offset,
        chain=tail.chain.hex(),
        commit_offset=max(commit_offset, fence.commit_offset),
        log_start_offset=log_start_offset,
        configuration_offset=configuration_offset,
        whole=whole,
        voters=[] if configuration is None else list(configuration.voter_ids()),
        outgoing=[] if configuration is None else list(configuration.outgoing_ids()),
    )


def _conflict(operation: str, does: str) -> ApiError:
    return ApiError("conflict", f"operation {operation} {does}", operation=operation)


def _another_number(request: ForceMembersRequest, survey: Survey) -> str | None:
    if request.number == survey.number + 1:
        return None
    return f"the next lineage's number is {survey.number + 1}, not {request.number}"


def _moved(request: ForceMembersRequest, survey: Survey) -> str | None:
    if (request.last_offset, request.chain) == (survey.last_offset, survey.chain):
        return None
    return (
        f"the log here ends at offset {survey.last_offset} with chain {survey.chain},"
        f" not at {request.last_offset} with {request.chain}: look at the survey again"
    )


def _unfit(survey: Survey) -> str | None:
    if survey.last_offset <= ORIGIN.offset:
        return "the log here is empty, so there is nothing to go on from"
    if not survey.whole:
        return "part of the log here can't be read, so it can't be told what it holds"
    if survey.member not in (*survey.voters, *survey.outgoing):
        return f"{survey.member} is no voter of its newest configuration"
    return None


def _not_all_stopped(request: ForceMembersRequest, survey: Survey) -> str | None:
    others = {*survey.voters, *survey.outgoing} - {survey.member}
    missing, unknown = others - {*request.stopped}, {*request.stopped} - others
    if missing:
        return f"not acknowledged as stopped: {', '.join(sorted(missing))}"
    if unknown:
        return f"acknowledged as stopped, but no other voter: {', '.join(sorted(unknown))}"
    return None


def order(request: ForceMembersRequest, survey: Survey, identity: str) -> Force:
    """Return the order that a request gives which nothing refuses. identity: of the new lineage."""
    return Force(
        operation=request.operation,
        lineage=Lineage(request.number, identity),
        position=Position(Term(survey.last_term), Offset(survey.last_offset)),
        chain=bytes.fromhex(survey.chain),
    )
