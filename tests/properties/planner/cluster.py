"""A model of a log's members: what the leader records, and how it gets to a target by itself.

It is the least that the planner can tell from the real thing: ids, roles, one joint change at a
time, epochs, operations, and a quorum that must be alive. No records: what matters of them is who
holds them, and that is every voter that has been caught up. Who does not run knows no newer
configuration than before, and who was removed meanwhile is never told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from replog.wire.recovery import Survey
from replog.wire.schemas import (
    ClusterStatus,
    MayStop,
    MemberAddress,
    MemberStatus,
    TargetStatus,
)


class ForcedWrongly(AssertionError):
    """A member was told to go on alone, and what must be so before was not so."""


class QuorumBroken(AssertionError):
    """The members that hold what was committed are no majority any more, by the planner's doing."""


@dataclass
class Member:
    """One identity with its disk. holds: it has everything that was committed. fenced_by: the
    operation that keeps it from taking part. number: of its lineage."""

    id: str
    state: str = "unassigned"
    cluster_id: str | None = None
    holds: bool = False
    feature_level: int = 1
    fenced_by: str = ""
    number: int = 1


class View(NamedTuple):
    """A configuration as a member knows it."""

    offset: int
    joint: bool
    members: list[MemberStatus]
    target: TargetStatus | None


@dataclass
class Cluster:
    """The log. addresses: of members; alive: ids of members whose process answers.

    commit: the offset up to which the configuration is committed; while it is stalled, what the
    leader writes reaches nobody. leaving: who has left by a record that is not committed.
    removed: ids that may never come back. views: what each member knows, the leader aside.
    number: of the lineage that the log is in; noted: that members read of: older ones are fenced.
    """

    members: dict[str, Member] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    cluster_id: str | None = None
    voters: tuple[str, ...] = ()
    outgoing: tuple[str, ...] | None = None
    learners: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    operations: dict[str, str] = field(default_factory=dict)
    operation: str = ""
    epoch: int = 0
    holder: str = ""
    offset: int = 0
    leader: str | None = None
    joints: list[str] = field(default_factory=list)
    level: int = 1
    commit: int = -1
    stalled: bool = False
    leaving: tuple[str, ...] = ()
    removed: set[str] = field(default_factory=set)
    views: dict[str, View] = field(default_factory=dict)
    number: int = 1
    noted: int = 0

    def bootstrap(self, member: str, cluster_id: str, operation: str) -> str:
        """Found it; the answer's code, "" if it is done."""
        found = self.members[member]
        if found.state != "unassigned":
            return "" if self.operations.get(operation) == member else "already_bootstrapped"
        if self.cluster_id is not None:
            raise AssertionError(f"{member} founds a second cluster beside {self.cluster_id}")
        found.state, found.cluster_id, found.holds = "member", cluster_id, True
        self.cluster_id, self.voters, self.target = cluster_id, (member,), (member,)
        self.operations[operation] = member
        self.offset += 1
        self.commit = self.offset
        self.views[member] = self._view()
        return ""

    def set_target(
        self, members: tuple[MemberAddress, ...], planned_from: int, operation: str,
        epoch: int, holder: str,
    ) -> str:  # fmt: skip
        """As POST /v1/cluster:target: the code of the refusal, "" if it is committed."""
        if epoch < self.epoch:
            return "stale_epoch"
        if epoch == self.epoch and self.holder not in ("", holder):
            return "other_holder"
        if operation in self.operations:
            return ""
        if planned_from != self.offset:
            return "stale_plan"
        if self.outgoing is not None:
            return "change_in_progress"
        if self.removed & {member.id for member in members}:
            return "invalid_target"
        self.epoch, self.holder = epoch, holder
        self.operations[operation] = "target"
        self.operation, self.target = operation, tuple(member.id for member in members)
        self.addresses.update({member.id: member.address for member in members})
        self.learners = tuple(member for member in self.target if member not in self.voters)
        self.offset += 1
        return ""

    def go_on(self) -> None:
        """One step of the cluster's own: elect, commit, copy, enter joint, leave it."""
        self._elect()
        if self.leader is None:
            return
        self._commit()
        for member in (*self.voters, *self.learners):
            if member in self.alive and self._reachable(member):
                found = self.members[member]
                found.holds, found.state, found.cluster_id = True, "member", self.cluster_id
                found.number = self.number
        if self.commit < self.offset:
            return
        if self.outgoing is not None:
            self._leave_joint()
        elif self.target and set(self.target) != set(self.voters):
            self._enter_joint()
        self._commit()

    def _commit(self) -> None:
        """What the leader has written is on a majority, and who runs knows it."""
        if self.leader is None or self.stalled:
            return
        self.commit = self.offset
        self.removed.update(self.leaving)
        for member in (*self.voters, *(self.outgoing or ()), *self.learners, *self.leaving):
            if member in self.alive and self._reachable(member):
                self.views[member] = self._view()
                if member in self.leaving:
                    self.members[member].state = "removed"
        self.leaving = ()

    def _view(self) -> View:
        return View(self.offset, self.outgoing is not None, self._members(), self._target())

    def quorum(self, of: tuple[str, ...]) -> bool:
        """Whether a majority of these is alive and holds everything."""
        well = [m for m in of if m in self.alive and self._takes_part(m)]
        return len(well) >= len(of) // 2 + 1

    def _takes_part(self, member: str) -> bool:
        return self.members[member].holds and not self._is_fenced(member)

    def _is_fenced(self, member: str) -> bool:
        found = self.members[member]
        behind = found.number < max(self.number, self.noted)
        return bool(found.fenced_by) or (found.state != "unassigned" and behind)

    def _reachable(self, member: str) -> bool:
        unfenced = not self._is_fenced(member)
        return unfenced and self.members[member].state in ("unassigned", "member")

    def _elect(self) -> None:
        halves = [self.voters] if self.outgoing is None else [self.voters, self.outgoing]
        if self.cluster_id is None or not all(self.quorum(half) for half in halves):
            self.leader = None
            return
        may = [m for half in halves for m in half if m in self.alive and self._takes_part(m)]
        if self.leader not in may:
            self.leader = sorted(may)[0]

    def _enter_joint(self) -> None:
        if self.quorum(self.target):
            self.outgoing, self.voters, self.learners = self.voters, self.target, ()
            self.joints.append(self.operation)
            self.offset += 1

    def _leave_joint(self) -> None:
        assert self.outgoing is not None
        gone = [member for member in self.outgoing if member not in self.voters]
        self.outgoing, self.leaving = None, tuple(gone)
        self.offset += 1
        self._elect()

    def status(self, member: str) -> ClusterStatus:
        """GET /v1/cluster at this member."""
        found = self.members[member]
        knows = found.state in ("member", "removed")
        fenced = knows and found.state == "member" and self._is_fenced(member)
        view = self._view() if member == self.leader else self.views.get(member)
        view = view if knows else None
        return ClusterStatus(
            member=member, incarnation=1, state="fenced" if fenced else found.state,
            cluster_id=found.cluster_id, lineage=f"{found.number}.x" if knows else None,
            role="leader" if knows and member == self.leader else "follower", term=1,
            leader=self.leader, leader_client_address=None,
            commit_offset=self.commit if member == self.leader else -1, applied_offset=0,
            durable_offset=0, last_offset=0, log_start_offset=0,
            configuration_offset=-1 if view is None else view.offset,
            joint=view is not None and view.joint,
            members=[] if view is None else view.members,
            target=None if view is None else view.target,
            admitting=member == self.leader, version="1", feature_level=self.level,
            feature_level_spoken=found.feature_level,
        )  # fmt: skip

    def _members(self) -> list[MemberStatus]:
        outgoing = [m for m in self.outgoing or () if m not in self.voters]
        roles = [(self.voters, "voter"), (self.learners, "learner"), (tuple(outgoing), "outgoing")]
        return [
            MemberStatus(
                id=m, address=self.addresses.get(m, ""), role=role, match_offset=0,
                alive=m in self.alive, feature_level_spoken=self.members[m].feature_level,
            )
            for ids, role in roles
            for m in ids
        ]  # fmt: skip

    def _target(self) -> TargetStatus | None:
        if not self.target:
            return None
        reached = self.outgoing is None and set(self.target) == set(self.voters)
        return TargetStatus(list(self.target), self.operation, reached, self.epoch, self.holder)

    def may_stop(self, member: str, lags: bool = False) -> MayStop:
        """As the leader answers it. lags: another one does."""
        changing = self.outgoing is not None or set(self.target or self.voters) != set(self.voters)
        others = [m for m in self.voters if m != member]
        well = [m for m in others if m in self.alive and self.members[m].holds]
        enough = member not in self.voters or len(well) >= len(self.voters) // 2 + 1
        reasons = [*(["a change is under way"] if changing else [])]
        reasons += [] if enough else ["the others are too few"]
        reasons += ["another one lags"] if lags else []
        caught_up = member in self.alive and self.members[member].holds
        role = "voter" if member in self.voters else "learner"
        return MayStop(member, not reasons, reasons, caught_up, 0, role, member == self.leader)

    # --- recovery of a lost majority (replog.wire.recovery)

    def survey(self, member: str) -> Survey:
        """GET /v1/cluster/survey at this member."""
        found, view = self.members[member], self.views.get(member)
        known = [] if view is None else view.members
        offset = -1 if view is None else view.offset
        return Survey(
            member=member, fenced_by=found.fenced_by, cluster_id=found.cluster_id or "",
            lineage=f"{found.number}.x", number=found.number, term=found.number,
            last_term=found.number, last_offset=offset, chain=f"{found.number}-{offset}",
            commit_offset=offset, log_start_offset=0, configuration_offset=offset,
            whole=found.holds,
            voters=[m.id for m in known if m.role == "voter"],
            outgoing=[m.id for m in known if m.role == "outgoing"],
        )  # fmt: skip

    def fence(self, member: str, operation: str) -> None:
        """POST /v1/cluster:fence."""
        found = self.members[member]
        if found.state == "member" and found.fenced_by in ("", operation):
            found.fenced_by = operation
            self._elect()

    def unfence(self, member: str, operation: str) -> None:
        """POST /v1/cluster:unfence."""
        if self.members[member].fenced_by == operation:
            self.members[member].fenced_by = ""

    def force(
        self, member: str, operation: str, number: int, chain: str, stopped: tuple[str, ...]
    ) -> bool:
        """POST /v1/cluster:force-members; whether it did anything. What the member would refuse is
        a fault of the planner's here."""
        found, now = self.members[member], self.survey(member)
        if found.number == number:
            return False
        if found.fenced_by != operation or not now.whole or now.chain != chain:
            raise ForcedWrongly(f"{member} is not as it was surveyed by {operation}: {now}")
        if number != found.number + 1 or self.noted != number:
            raise ForcedWrongly(f"{member} is to begin lineage {number}; noted is {self.noted}")
        if set(stopped) != {*now.voters, *now.outgoing} - {member}:
            raise ForcedWrongly(f"{member} goes on without {now.voters}, and stopped is {stopped}")
        if self.number == number:
            raise ForcedWrongly(f"there is another log in lineage {number}")
        found.number, found.fenced_by, self.number = number, "", number
        self.voters, self.outgoing, self.learners, self.leaving = (member,), None, (), ()
        self.target, self.operation, self.epoch, self.holder = (), "", 0, ""
        self.removed = (self.removed | set(stopped)) - {member}  # of what it does not know itself
        self.offset += 1
        self.commit, self.leader = self.offset, member
        self.views[member] = self._view()
        return True
