"""Disks of members: whose they are, how large, whether they go with the resource.

A disk that is full needs room whatever else is wrong, so nothing here waits for anybody's health.

Decides: stamps, sizes, owners. Must not know: how many disks there are (size.py).
Read next: size.py.
"""

from collections.abc import Iterator

from replog_operator.model.observed import Claim
from replog_operator.model.steps import ExpandClaim, OwnClaim, StampClaim
from replog_operator.planner.answer import Answer, Do, Hold, the
from replog_operator.planner.facts import Facts


def volumes(facts: Facts) -> Answer:
    """The first disk that is not as it should be; a refusal is told when all else is done."""
    refused = None
    for claim in facts.claims.values():
        if claim.terminating:
            continue
        for answer in _wrong(facts, claim):
            if isinstance(answer, Do):
                return answer
            refused = refused or answer
    return refused


def _wrong(facts: Facts, claim: Claim) -> Iterator[Do | Hold]:
    if not claim.retired:
        yield from _size(facts, claim)
    if claim.owned != facts.spec.delete_data:
        word = "goes" if facts.spec.delete_data else "stays when"
        yield Do(
            OwnClaim(the(claim), facts.spec.delete_data), f"{claim.name} {word} with the resource"
        )
    yield from _stamp(facts, claim)


def _size(facts: Facts, claim: Claim) -> Iterator[Do | Hold]:
    """What was refused may be taken back: less is asked for then, but no less than there is.

    Refused is what the API server forbids, which nobody asks for any more, and what was asked for
    and can't be carried out, which can be replaced by what lies above the capacity.
    """
    wanted = facts.spec.storage_bytes
    if claim.size_bytes < wanted and not claim.refusal:
        yield Do(ExpandClaim(the(claim), wanted), f"{claim.name} is asked to grow")
    elif claim.capacity_bytes < wanted < claim.size_bytes and claim.refusal:
        yield Do(ExpandClaim(the(claim), wanted), f"{claim.name} is asked to grow less")
    elif claim.refusal and min(claim.size_bytes, claim.capacity_bytes) < wanted:
        yield Hold("ExpansionRefused", f"{claim.name} does not grow: {claim.refusal}")


def _stamp(facts: Facts, claim: Claim) -> Iterator[Do]:
    """Whose disk it is, by the member's own word, once the log counts it among its members.

    Where two say that they are one member, the notes of before are what tells them apart.
    """
    ordinal, status = claim.ordinal, facts.status
    member = None if ordinal is None else facts.members.get(ordinal)
    if ordinal is None or status is None or member is None or status.cluster_id is None:
        return
    answer = facts.seen.answers.get(ordinal)
    if answer is None or answer.member != member.id or claim.retired:
        return
    if sum(other.member == member.id for other in facts.seen.answers.values()) > 1:
        return
    if (claim.cluster_id, claim.member_id) != (status.cluster_id, member.id):
        step = StampClaim(the(claim), status.cluster_id, member.id)
        yield Do(step, f"{claim.name} is noted as the disk of {member.id}")
