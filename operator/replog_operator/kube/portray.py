"""What people are told of a log, put together from what was seen and what is planned.

Decides: what of a plan is the operation that is shown, which waits are told first, who is a member.
Must not know: the form of a status (status.py).
Read next: picture.py, observe.py, status.py.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from replog.wire.schemas import ClusterStatus, MemberStatus
from replog_operator.kube.children.wanted import Wanted
from replog_operator.kube.picture import MemberRow, OperationRow, Picture, WaitRow
from replog_operator.kube.tolerance import tolerates
from replog_operator.kube.wishes import Wishes
from replog_operator.model import steps
from replog_operator.model.observed import Observed, Pod, PodState
from replog_operator.model.plan import Lane, LaneStep, Plan
from replog_operator.planner.facts import Facts, facts

KINDS: Final[Mapping[type, str]] = {
    steps.ApplyChildren: "Apply",
    steps.MakeWorkload: "Apply",
    steps.ApplyTemplate: "Apply",
    steps.NoteGood: "Apply",
    steps.RollBack: "RollBack",
    steps.SetReplicas: "Scale",
    steps.MakeClaim: "Scale",
    steps.RetireClaim: "Scale",
    steps.DeleteClaim: "Scale",
    steps.StampClaim: "Apply",
    steps.ExpandClaim: "Expand",
    steps.OwnClaim: "Apply",
    steps.Bootstrap: "Bootstrap",
    steps.SetTarget: "Scale",
    steps.Transfer: "Roll",
    steps.EvictPod: "Roll",
    steps.DeletePod: "Roll",
    steps.RaiseFeatureLevel: "Upgrade",
    steps.TakeSnapshot: "Task",
    steps.FinishTask: "Task",
    steps.FenceMember: "Recover",
    steps.UnfenceMember: "Recover",
    steps.RaiseLineage: "Recover",
    steps.ForceMembers: "Recover",
}
"""What a step belongs to, where nothing larger is under way."""
_LANES: Final = tuple(Lane)
_HELD: Final = frozenset({"Suspended", "BadVersion"})
"""Waits that say that nothing is under way."""
_NEEDS_PEOPLE: Final = frozenset(
    {
        "DiskFull", "DiskStalled", "HoleBeingFilled", "UnfillableHole", "Unproven",
        "LogUnreadable", "StateDiverged", "ClockJump", "ClocksDisagree",
    }
)  # fmt: skip
"""Waits of a leader which the operator can't end: whoever asks Kubernetes sees them, too.

The others pass by themselves, or are the planner's own.
"""


def portray(wishes: Wishes, wanted: Wanted, seen: Observed, plan: Plan) -> Picture:
    """Put the picture together."""
    log, known = wishes.log, facts(wishes.log, seen)
    serving = [pod for pod in seen.pods if pod.state is PodState.READY and pod.ordinal is not None]
    reason = _not_updated(seen)
    return Picture(
        name=log.name,
        namespace=log.namespace,
        generation=log.generation,
        wanted=log.replicas,
        pods=len(seen.pods),
        ready=len(serving),
        image=wanted.image,
        retention=_retention(seen),
        storage_bytes=_storage_bytes(seen),
        cluster_id=_cluster_id(known),
        lineage=wanted.lineage,
        members=tuple(_members(known)),
        admitting=known.status is not None and known.status.admitting,
        reached=known.settled and _voters(known) == log.replicas,
        updated=None if seen.workload is None else reason == ("", ""),
        not_updated=reason,
        tolerates=tolerates(known.status, seen.stops),
        operation=_operation(known, plan),
        waits=_waits(plan, seen.blockers),
        suspended=log.suspend,
        hibernating=log.hibernate,
    )


def _cluster_id(known: Facts) -> str:
    if known.status is not None and known.status.cluster_id:
        return known.status.cluster_id
    return known.seen.cluster_id


def _retention(seen: Observed) -> str:
    """What is in force: data goes with the resource only once every claim says so."""
    return "Delete" if seen.claims and all(claim.owned for claim in seen.claims) else "Retain"


def _storage_bytes(seen: Observed) -> int:
    """The largest size that a volume has, or was asked for; not what was refused."""
    return max(
        (claim.capacity_bytes if claim.refusal else claim.size_bytes for claim in seen.claims),
        default=0,
    )


def _voters(known: Facts) -> int:
    members = () if known.status is None else known.status.members
    return sum(member.role == "voter" for member in members)


def _members(known: Facts) -> Iterator[MemberRow]:
    """By ordinal; then members at no ordinal."""
    for ordinal in sorted({*known.pods, *known.members, *known.seen.answers}):
        yield _row(known, ordinal)
    for member in known.strays:
        yield _stray(member, known)


def _row(known: Facts, ordinal: int) -> MemberRow:
    pod, member = known.pods.get(ordinal), known.members.get(ordinal)
    answer = known.seen.answers.get(ordinal)
    id_ = member.id if member is not None else "" if answer is None else answer.member
    return MemberRow(
        id=id_,
        role="" if member is None else member.role,
        ordinal=ordinal,
        pod=f"{known.spec.name}-{ordinal}",
        leads=ordinal == known.leader,
        ready=pod is not None and pod.state is PodState.READY,
        caught_up=_caught_up(known, id_),
        version="" if answer is None else answer.version,
        state=_state(pod, answer),
    )


def _stray(member: MemberStatus, known: Facts) -> MemberRow:
    return MemberRow(
        id=member.id, role=member.role, ordinal=None, pod="", leads=False, ready=False,
        caught_up=_caught_up(known, member.id), version="", state="missing",
    )  # fmt: skip


def _caught_up(known: Facts, member: str) -> bool | None:
    stop = known.seen.stops.get(member)
    return None if stop is None else stop.caught_up


def _state(pod: Pod | None, answer: ClusterStatus | None) -> str:
    if pod is None:
        return "missing"
    if answer is not None and answer.state in ("removed", "fenced"):
        return answer.state
    return pod.state.value


def _not_updated(seen: Observed) -> tuple[str, str]:
    """Why pods are not as the resource wants them; two empty texts if they are."""
    workload = seen.workload
    if workload is None:
        return "NoPods", "there are no pods yet"
    if workload.template != seen.template:
        if workload.bad_template == seen.template:
            return (
                "BadVersion",
                f"template {seen.template} did not come to be well; it was given up",
            )
        return "TemplatePending", "the pods' template is not the newest one"
    outdated = [pod.name for pod in seen.pods if pod.revision != workload.revision]
    if outdated:
        return "PodsOutdated", f"not replaced yet: {', '.join(outdated)}"
    return "", ""


def _waits(plan: Plan, leaders: Mapping[str, str]) -> tuple[WaitRow, ...]:
    """By lane, the most important first, then what its leader waits for; each code once."""
    ordered = sorted(plan.waits, key=lambda wait: _LANES.index(wait.lane))
    rows = [WaitRow(wait.code, wait.evidence) for wait in ordered]
    rows += [WaitRow(code, words) for code, words in leaders.items() if code in _NEEDS_PEOPLE]
    first = {row.code: row for row in reversed(rows)}
    return tuple(first[code] for code in dict.fromkeys(row.code for row in rows))


def _operation(known: Facts, plan: Plan) -> OperationRow | None:
    """The most important lane that does something or is held in the middle of something."""
    for lane in _LANES:
        step = next((step for step in plan.steps if step.lane is lane), None)
        if step is not None:
            failed = "StepFailed" in {wait.code for wait in plan.waits if wait.lane is lane}
            return OperationRow(_kind(known, step), step.why, "StepFailed" if failed else "")
        wait = next((wait for wait in plan.waits if wait.lane is lane), None)
        if wait is not None and wait.code not in _HELD and lane in (Lane.REPAIR, Lane.MEMBERS):
            kind = _under_way(known, lane)
            if kind:
                return OperationRow(kind, wait.evidence, wait.code)
    return None


def _kind(known: Facts, step: LaneStep) -> str:
    if step.lane in (Lane.REPAIR, Lane.MEMBERS):
        return _under_way(known, step.lane) or KINDS[type(step.step)]
    return KINDS[type(step.step)]


def _under_way(known: Facts, lane: Lane) -> str:
    """What the members are in the middle of; "": of nothing."""
    workload = known.seen.workload
    if lane is Lane.REPAIR:
        return "Replace"
    if not known.seen.cluster_id:
        return "Bootstrap"
    wanted = 0 if known.spec.hibernate else known.spec.replicas
    if workload is not None and workload.replicas != wanted:
        return "Hibernate" if known.spec.hibernate else "Scale"
    if known.status is not None and not (known.settled and _voters(known) == wanted):
        return "Scale"
    if workload is not None and any(p.revision != workload.revision for p in known.seen.pods):
        return "Roll"
    return ""
