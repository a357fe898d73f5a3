"""How a log begins: exactly once, at ordinal 0, and only where nobody can have data.

The claim of ordinal 0 is stamped with the cluster's id and the member's before the member is asked,
so that whoever comes later, with a resource made anew or without its status, knows that there may
be data. Everything but this one case is adoption.

Decides: when founding is safe. Must not know: how large the log will be (membership.py).
Read next: membership.py.
"""

from replog_operator.model.observed import Claim
from replog_operator.model.steps import Bootstrap, StampClaim
from replog_operator.planner.answer import Answer, Do, Hold, the
from replog_operator.planner.facts import Facts
from replog_operator.planner.silence import silences

FOUNDER = 0


def is_new(facts: Facts) -> bool:
    """Whether no member says that it belongs to a cluster, and no status remembers one."""
    assigned = [answer for answer in facts.seen.answers.values() if answer.cluster_id]
    return not assigned and not facts.seen.cluster_id


def founding(facts: Facts) -> Answer:
    """The next step of the beginning, or what it waits for."""
    silent = {ordinal for ordinal in facts.claims if ordinal not in facts.seen.answers}
    if silent or FOUNDER not in facts.seen.answers:
        waiting = silences(facts, silent or {FOUNDER})
        return Hold("MembersSilent", f"no answer from {waiting} yet")
    stamped = [claim for claim in facts.seen.claims if claim.member_id]
    claim, member = facts.claims.get(FOUNDER), facts.seen.answers[FOUNDER].member
    lost = [found for found in stamped if not _may_found(found, member)]
    if lost:
        return Hold(
            "QuorumLost",
            f"{lost[0].name} held data of cluster {lost[0].cluster_id}, and no member has any now",
        )
    cluster_id = cluster_of(facts)
    if claim is not None and not claim.member_id:
        step = StampClaim(the(claim), cluster_id, member)
        return Do(step, f"{claim.name} is noted as the founder's")
    found = Bootstrap(FOUNDER, member, cluster_id, f"found-{cluster_id}")
    return Do(found, f"{facts.spec.name}-{FOUNDER} founds the log")


def cluster_of(facts: Facts) -> str:
    """The cluster's id: that of the data that there is, else the resource's own."""
    return next(iter(facts.cluster_ids), facts.seen.cluster_id or facts.spec.uid)


def _may_found(claim: Claim, member: str) -> bool:
    """The founder's own stamp, from a founding that was cut off, and the disk still its own."""
    return claim.ordinal == FOUNDER and claim.member_id == member
