"""What follows at once from what was seen: who leads, which member is at which ordinal.

Decides: whose word counts (the leader of the newest lineage, then of the highest term), how members
and ordinals go together (by a member's own word first, else by its address).
Must not know: what is done about it.
Read next: plan.py.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from replog.wire.schemas import ClusterStatus, MemberStatus
from replog_operator.model.observed import Claim, Observed, Pod
from replog_operator.model.spec import LogSpec
from replog_operator.model.surveys import number_of

K = TypeVar("K")


class Facts(NamedTuple):
    """leader: its ordinal, and status: its word; both None without a leader that answers.

    pods, claims: by ordinal. members: of the configuration in force, by ordinal; without a leader
    by the newest configuration that a member knows. strays: members of it at no known ordinal.
    """

    spec: LogSpec
    seen: Observed
    leader: int | None
    status: ClusterStatus | None
    known: ClusterStatus | None
    pods: Mapping[int, Pod]
    claims: Mapping[int, Claim]
    members: Mapping[int, MemberStatus]
    strays: tuple[MemberStatus, ...]

    @property
    def member_ids(self) -> frozenset[str]:
        """Everybody in the configuration in force, whatever the role."""
        return frozenset() if self.known is None else frozenset(m.id for m in self.known.members)

    @property
    def committed(self) -> bool:
        """A leader answers, and its membership is neither changing nor one that may be lost again.

        A leader that nobody follows may have written that members leave, and the next one knows
        nothing of it.
        """
        status = self.status
        return (
            status is not None
            and not status.joint
            and status.configuration_offset <= status.commit_offset
        )

    @property
    def settled(self) -> bool:
        """It is committed, and its target is reached."""
        status = self.status
        return (
            status is not None
            and self.committed
            and status.target is not None
            and status.target.reached
            and set(status.target.members) == self.member_ids
        )

    @property
    def held(self) -> tuple[int, ...]:
        """Ordinals whose disks may hold data of members, whether a pod runs there or not."""
        return tuple(at for at, claim in sorted(self.claims.items()) if not claim.retired)

    def is_removed(self, ordinal: int) -> bool:
        """Whether the member there was removed for good; it need not know it.

        Who did not run at that time is not told later: it has a vote in an older configuration than
        the one without it. Who is of an older lineage was left out, not removed: it may hold what
        the log went on without, so only a person gives its disk up.
        """
        answer, status = self.seen.answers.get(ordinal), self.status
        if answer is None or answer.member in self.member_ids:
            return False
        if answer.state == "removed" or status is None:
            return answer.state == "removed"
        if number_of(answer.lineage) < number_of(status.lineage):
            return False
        return answer.configuration_offset < status.configuration_offset and any(
            member.id == answer.member and member.role != "learner" for member in answer.members
        )

    @property
    def cluster_ids(self) -> frozenset[str]:
        """Of which clusters there are data or members."""
        found = [claim.cluster_id for claim in self.seen.claims]
        found += [answer.cluster_id or "" for answer in self.seen.answers.values()]
        return frozenset(found) - {""}


def facts(spec: LogSpec, seen: Observed) -> Facts:
    """Put together what belongs together."""
    leader = leader_of(seen.answers)
    status = None if leader is None else seen.answers[leader]
    known = status if status is not None else _newest(seen)
    members, strays = _placed(seen, known)
    return Facts(
        spec=spec,
        seen=seen,
        leader=leader,
        status=status,
        known=known,
        pods={pod.ordinal: pod for pod in seen.pods if pod.ordinal is not None},
        claims={claim.ordinal: claim for claim in seen.claims if claim.ordinal is not None},
        members=members,
        strays=strays,
    )


def leader_of(answers: Mapping[K, ClusterStatus]) -> K | None:
    """Who says that it leads; of several, the one of the newest lineage, then the highest term."""
    leading = [
        key
        for key, answer in answers.items()
        if answer.role == "leader" and answer.state in ("member", "stopping")
    ]
    return max(
        leading,
        key=lambda key: (number_of(answers[key].lineage), answers[key].term),
        default=None,
    )


def _newest(seen: Observed) -> ClusterStatus | None:
    """Who knows the newest configuration; a removed member's last one may be the oldest."""
    assigned = [
        answer for answer in seen.answers.values() if answer.state in ("member", "stopping")
    ]
    return max(
        assigned,
        key=lambda answer: (number_of(answer.lineage), answer.configuration_offset),
        default=None,
    )


def _placed(
    seen: Observed, known: ClusterStatus | None
) -> tuple[dict[int, MemberStatus], tuple[MemberStatus, ...]]:
    """Members by ordinal. One whose ordinal holds another member by now is a stray."""
    at = {answer.member: ordinal for ordinal, answer in seen.answers.items()}
    places: dict[int, MemberStatus] = {}
    strays = []
    for member in () if known is None else known.members:
        ordinal = at.get(member.id, _ordinal_by_address(seen, member))
        if ordinal is None or ordinal in places:
            strays.append(member)
        else:
            places[ordinal] = member
    return places, tuple(strays)


def _ordinal_by_address(seen: Observed, member: MemberStatus) -> int | None:
    if member.address not in seen.addresses:
        return None
    ordinal = seen.addresses.index(member.address)
    return None if ordinal in seen.answers else ordinal
