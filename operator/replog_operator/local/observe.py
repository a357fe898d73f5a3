"""From the state, the processes and the members' words to what the planner knows.

Decides: that. Must not know: how any of it was read. Pure.
Read next: ../model/observed.py, hands.py.
"""

from collections.abc import Sequence
from typing import Final

from replog.wire.schemas import ClusterStatus
from replog_operator.local.notes import State
from replog_operator.local.said import Said
from replog_operator.local.spec import LocalSpec
from replog_operator.model.observed import (
    Capabilities,
    Claim,
    Observed,
    Operator,
    Pod,
    Workload,
)
from replog_operator.model.spec import LogSpec

LEASE: Final = "local"
"""The directory's lock is what makes a supervisor the only one."""
MEMBERS: Final = "member"
"""How people know the members: member-0, as their directories."""
PLATFORM: Final = Capabilities(sizes=False)


def wishes_of(spec: LocalSpec, state: State) -> LogSpec:
    """What the planner follows of a resource."""
    return LogSpec(
        name=MEMBERS,
        namespace="",
        uid=state.uid,
        generation=0,
        replicas=spec.replicas,
        leader_last=spec.leader_last,
        update_timeout_s=spec.update_timeout_s,
        suspend=spec.suspend,
        hibernate=spec.hibernate,
    )


def operator_of(state: State, identity: str) -> Operator:
    """Who plans. identity: of this run."""
    return Operator(state.epoch, f"{LEASE}#{identity}")


def ordinals_of(spec: LocalSpec, state: State) -> int:
    """How many ordinals there are or should be."""
    running = 0 if state.workload is None else state.workload.replicas
    return max(spec.replicas, running, 1 + max(state.claims, default=-1))


def observed(
    state: State, addresses: tuple[str, ...], pods: Sequence[Pod], said: Said, *,
    operator: Operator, template: str, now_s: float,
) -> Observed:  # fmt: skip
    """The world in the planner's own words.

    addresses: of the peer listeners of all `ordinals_of`. template: hash of what the resource asks
    for.
    """
    return Observed(
        now_s=now_s,
        operator=operator,
        platform=PLATFORM,
        workload=_workload(state),
        template=template,
        addresses=addresses,
        pods=tuple(pods),
        claims=_claims(state),
        answers=said.answers,
        stops=said.stops,
        blockers=said.blockers,
        cluster_id=state.cluster_id,
    )


def cluster_of(answers: Sequence[ClusterStatus]) -> str:
    """The cluster that members say they belong to; "" for none, or if they don't agree."""
    found = {answer.cluster_id for answer in answers if answer.cluster_id}
    return found.pop() if len(found) == 1 else ""


def _workload(state: State) -> Workload | None:
    found = state.workload
    if found is None:
        return None
    return Workload(
        MEMBERS, found.uid, str(found.version), found.replicas, found.template,
        revision=found.template, good_template=found.good_template,
        bad_template=found.bad_template,
    )  # fmt: skip


def _claims(state: State) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            f"{MEMBERS}-{ordinal}", claim.uid, str(claim.version), ordinal,
            cluster_id=claim.cluster_id, member_id=claim.member_id, retired=claim.retired,
            terminating=claim.terminating,
        )
        for ordinal, claim in sorted(state.claims.items())
    )  # fmt: skip
