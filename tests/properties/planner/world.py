"""A model of the platform around the cluster: a workload, pods, claims; and a person's edits.

A deed is refused when what it was planned from is not so any more, as an API server does it. What
must never be is checked at each deed: no claim of a configured member is deleted, and no pod whose
loss breaks the quorum is stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from replog_operator.model.observed import (
    Capabilities,
    Claim,
    Observed,
    Operator,
    Pod,
    PodState,
    TaskKind,
    Workload,
)
from replog_operator.model.plan import Plan
from replog_operator.model.spec import LogSpec
from replog_operator.model.steps import (
    ApplyChildren,
    ApplyTemplate,
    Bootstrap,
    DeleteClaim,
    DeletePod,
    EvictPod,
    ExpandClaim,
    FenceMember,
    FinishTask,
    ForceMembers,
    MakeClaim,
    MakeWorkload,
    NoteGood,
    Object,
    OwnClaim,
    RaiseFeatureLevel,
    RaiseLineage,
    RetireClaim,
    RollBack,
    SetReplicas,
    SetTarget,
    StampClaim,
    Step,
    TakeSnapshot,
    Transfer,
    UnfenceMember,
)
from replog_operator.model.surveys import Decided
from replog_operator.planner.plan import plan
from tests.properties.planner.asked import Asked
from tests.properties.planner.cluster import Cluster, Member, QuorumBroken

ORDINALS = 10
TICK_S = 10.0
ADDRESSES = tuple(f"log-{ordinal}:7411" for ordinal in range(ORDINALS))
ORPHANED_TICKS = 3
BAD_IMAGES = ("bad",)


FIRST = Operator(1, "ns/lease#1")


def _claim_name(ordinal: int) -> str:
    return f"data-log-{ordinal}"


class Wrong(AssertionError):
    """The planner did what must never be done."""


class OperatorDied(Exception):
    """At a write, as the test wants it."""


@dataclass
class Disk:
    """A claim. member: whose identity is on it; None while it is empty. pinned: somebody's
    finalizer keeps it while it is being deleted."""

    uid: str
    version: int = 1
    cluster_id: str = ""
    member_id: str = ""
    retired: bool = False
    terminating: bool = False
    owned: bool = False
    size_bytes: int = 0
    member: str | None = None
    refusal: str = ""
    pinned: bool = False


@dataclass
class Running:
    """A pod. hung: it does not come up, or answers nobody. lost: its host does not answer, so it
    answers nobody, and does not go before the host is back."""

    uid: str
    revision: str
    created_s: float
    since_s: float
    started: bool = False
    terminating: bool = False
    hung: bool = False
    lost: bool = False


@dataclass
class World:
    """All of it. before_write, after_write: are told each write's number, and may raise.

    counts_canaries: a second pod that gets a bad image is a fault (where nothing else ends pods).
    orphaned_ticks: so long the workload of a deleted resource is still there.
    slow: ordinals whose pods hang from their start on, until somebody wakes them.
    rigid: disks do not grow. held: a budget of somebody else forbids each eviction. queued: other
    logs are being rolled. lags: one lags, so the leader lets nobody be stopped.
    """

    spec: LogSpec
    image: str = "v1"
    cluster: Cluster = field(default_factory=Cluster)
    disks: dict[int, Disk] = field(default_factory=dict)
    pods: dict[int, Running] = field(default_factory=dict)
    workload: Workload | None = None
    operator: Operator = FIRST
    now_s: float = 1000.0
    counter: int = 0
    stale: tuple[str, ...] = ("ConfigMap",)
    writes: list[str] = field(default_factory=list)
    before_write: Callable[[int], None] | None = None
    after_write: Callable[[int], None] | None = None
    remembered_cluster: str = ""
    orphaned_ticks: int = 0
    slow: frozenset[int] = frozenset()
    counts_canaries: bool = False
    rigid: bool = False
    held: bool = False
    queued: bool = False
    lags: bool = False
    asked: Asked = field(default_factory=Asked)
    decided: Decided = field(default_factory=Decided)

    def uid(self, what: str) -> str:
        self.counter += 1
        return f"{what}-{self.counter}"

    # --- what the operator sees and does

    def observe(self) -> Observed:
        answers = {at: self.cluster.status(m) for at, m in self._answering().items()}
        asked = self._answering() if self.asked.needs_surveys() else {}
        stops = {}
        if self.cluster.leader is not None and self.cluster.leader in self._answering().values():
            known = self.cluster.status(self.cluster.leader).members
            stops = {member.id: self.cluster.may_stop(member.id, self.lags) for member in known}
        return Observed(
            now_s=self.now_s, operator=self.operator,
            platform=Capabilities(may_roll=not self.queued),
            workload=self.workload, template=self.image, addresses=ADDRESSES, stale=self.stale,
            pods=tuple(self._pod(at, pod) for at, pod in sorted(self.pods.items())),
            claims=tuple(self._claim(at, disk) for at, disk in sorted(self.disks.items())),
            answers=answers, stops=stops, cluster_id=self.remembered_cluster,
            tasks=self.asked.seen({_claim_name(at): d.uid for at, d in self.disks.items()}),
            surveys={at: self.cluster.survey(member) for at, member in asked.items()},
            surveyed=self.asked.surveyed(), decided=self.decided,
        )  # fmt: skip

    def plan(self) -> Plan:
        return plan(self.spec, self.observe())

    def operate(self) -> Plan:
        """One pass: look once, then take the step of each lane."""
        found = self.plan()
        for step in found.steps:
            self.act(step.step)
        if self.cluster.cluster_id is not None and self.cluster.leader is not None:
            self.remembered_cluster = self.cluster.cluster_id
        return found

    def act(self, step: Step, operator: Operator | None = None) -> None:
        number = len(self.writes)
        if self.before_write is not None:
            self.before_write(number)
        self.writes.append(type(step).__name__)
        self._do(step, operator or self.operator)
        if self.after_write is not None:
            self.after_write(number)

    # --- the world goes on

    def orphan(self) -> None:
        """The workload and its pods are those of a resource that was deleted; they go later."""
        if self.workload is not None:
            self.workload = self.workload._replace(foreign=True)
            self.orphaned_ticks = ORPHANED_TICKS

    def _collect_garbage(self) -> None:
        if self.orphaned_ticks:
            self.orphaned_ticks -= 1
            if self.orphaned_ticks == 0:
                self.workload = None
                for pod in self.pods.values():
                    pod.terminating = True

    def tick(self) -> None:
        """Ten seconds: pods come and go, the cluster goes on."""
        self.now_s += TICK_S
        self._collect_garbage()
        for at in [at for at, pod in self.pods.items() if pod.terminating and not pod.lost]:
            del self.pods[at]
        going = [at for at, d in self.disks.items() if d.terminating and not d.pinned]
        for at in [at for at in going if at not in self.pods]:
            del self.disks[at]
        self._keep_pods()
        self._see_alive()
        self.cluster.go_on()

    def run(self, ticks: int) -> Plan:
        """Pass after pass until nothing is left to do, or so many ticks are over."""
        found = Plan()
        for _ in range(ticks):
            found = self.operate()
            self.tick()
        return found

    def _keep_pods(self) -> None:
        workload = self.workload
        if workload is None:
            return
        for at in range(workload.replicas):
            if at not in self.pods:
                disk = self.disks.get(at)
                if disk is not None and disk.terminating:
                    continue
                if disk is None:
                    self.disks[at] = Disk(self.uid("claim"), size_bytes=self.spec.storage_bytes)
                self.pods[at] = Running(self.uid("pod"), workload.revision, self.now_s, self.now_s)
            elif self._comes_up(self.pods[at]):
                self._start(at)
        if sum(pod.revision in BAD_IMAGES for pod in self.pods.values()) > self._spared():
            raise Wrong("more than the canary got a bad image")
        for at in [at for at in self.pods if at >= workload.replicas]:
            self.pods[at].terminating = True

    def _spared(self) -> int:
        """Pods that may be of a bad image: the canary; all, where fate killed others meanwhile."""
        return 1 if self.workload is not None and self.counts_canaries else ORDINALS

    def _comes_up(self, pod: Running) -> bool:
        return not (pod.terminating or pod.hung or pod.lost or pod.revision in BAD_IMAGES)

    def _start(self, at: int) -> None:
        disk, pod = self.disks[at], self.pods[at]
        if disk.member is None:
            disk.member = self.uid("member")
            self.cluster.members[disk.member] = Member(disk.member)
            self.cluster.addresses.setdefault(disk.member, ADDRESSES[at])
        if not pod.started:
            pod.started, pod.since_s = True, self.now_s
        level = 2 if pod.revision == "v2" else 1
        self.cluster.members[disk.member].feature_level = level

    def _see_alive(self) -> None:
        self.cluster.alive = set(self._answering().values())

    def _answering(self) -> dict[int, str]:
        found = {}
        for at, pod in self.pods.items():
            member = self.disks[at].member if at in self.disks else None
            silent = pod.terminating or pod.hung or pod.lost
            if member is not None and pod.started and not silent:
                found[at] = member
        return found

    def _pod(self, at: int, pod: Running) -> Pod:
        if pod.terminating:
            state = PodState.TERMINATING
        elif pod.lost:
            state = PodState.LOST
        elif pod.revision in BAD_IMAGES:
            state = PodState.IMAGE_ERROR
        elif not pod.started:
            state = PodState.PENDING
        else:
            state = PodState.UNREADY if pod.hung else PodState.READY
        return Pod(f"log-{at}", pod.uid, "1", at, state, pod.since_s, pod.created_s, pod.revision)

    def _claim(self, at: int, disk: Disk) -> Claim:
        return Claim(
            _claim_name(at), disk.uid, str(disk.version), at, disk.cluster_id, disk.member_id,
            disk.retired, disk.terminating, disk.size_bytes, disk.owned,
            disk.refusal, disk.size_bytes,
        )  # fmt: skip

    # --- deeds

    def _do(self, step: Step, operator: Operator) -> None:
        match step:
            case ApplyChildren():
                self.stale = ()
            case MakeWorkload(replicas=replicas):
                if self.workload is None:
                    self.workload = Workload(
                        "log", self.uid("set"), "1", replicas, self.image, self.image
                    )
            case MakeClaim(ordinal=at, cluster_id=cluster_id, owned=owned):
                if at not in self.disks:
                    self.disks[at] = Disk(
                        self.uid("claim"), cluster_id=cluster_id, owned=owned,
                        size_bytes=self.spec.storage_bytes,
                    )  # fmt: skip
            case Bootstrap(ordinal=at, cluster_id=cluster_id, operation=operation):
                if (member := self._answering().get(at)) is not None:
                    if self.disks[at].member_id != member:
                        raise Wrong("a member founds the log, and its claim does not say so")
                    self.cluster.bootstrap(member, cluster_id, operation)
            case SetTarget(members=members, planned_from=planned_from, operation=operation):
                if self.cluster.leader is not None:
                    self.cluster.set_target(
                        members, planned_from, operation, operator.epoch, operator.holder
                    )
            case Transfer(to=to):
                if to in self.cluster.alive and self.cluster.members[to].holds:
                    self.cluster.leader = to
            case RaiseFeatureLevel(feature_level=level):
                assert all(
                    self.cluster.members[m].feature_level >= level for m in self.cluster.voters
                )
                if self.workload is None or self.workload.good_template != self.workload.template:
                    raise Wrong("the level is raised before every pod was well")
                self.cluster.level = level
            case EvictPod() if self.held:
                pass
            case EvictPod(pod=pod) | DeletePod(pod=pod):
                self._stop_pod(pod)
            case TakeSnapshot(task=task):
                self._take_snapshot(task, operator)
            case FinishTask(task=task, done=done, message=message, report=report):
                if operator == self.operator or task not in self.asked.ended:
                    self.asked.finish(task, done=done, message=message, report=report)
            case _:
                self._do_to_recover(step)
                self._do_to_workload(step)
                self._do_to_claim(step)

    def _take_snapshot(self, task: str, operator: Operator) -> None:
        """Two writes, as kube/act.py makes them: an operator may die between them."""
        if self.cluster.leader is None:
            return
        self.asked.effects[TaskKind.SNAPSHOT] += 1
        self.act(FinishTask(task, True, "every member builds a snapshot"), operator)

    def _do_to_recover(self, step: Step) -> None:
        match step:
            case FenceMember(ordinal=at, operation=operation):
                if (member := self._answering().get(at)) is not None:
                    self.cluster.fence(member, operation)
            case UnfenceMember(ordinal=at, operation=operation):
                if (member := self._answering().get(at)) is not None:
                    self.cluster.unfence(member, operation)
            case RaiseLineage(decided=decided, before=before):
                if before != self.decided:
                    return
                silent = before.survivor not in self._answering().values()
                if before.number > decided.number - (not silent):
                    raise Wrong(f"{decided} is noted after {before}")
                self.decided = decided
                self.cluster.noted = decided.number
            case ForceMembers(ordinal=at, operation=operation, number=number, chain=chain):
                member = self._answering().get(at)
                if member is not None and self.cluster.force(
                    member, operation, number, chain, step.stopped
                ):
                    self.asked.effects[TaskKind.RECOVER] += 1

    def _do_to_workload(self, step: Step) -> None:
        match step:
            case SetReplicas(workload=of, replicas=replicas):
                self._check_edge(replicas)
                self._change(of, replicas=replicas)
            case ApplyTemplate(workload=of, template=template, forget_bad=forget):
                bad = {"bad_template": ""} if forget else {}
                if self._change(of, template=template, revision=template, **bad) and forget:
                    self.asked.effects[TaskKind.RETRY_VERSION] += 1
            case RollBack(workload=of, good_template=good, bad_template=bad_template):
                self._change(of, template=good, revision=good, bad_template=bad_template)
            case NoteGood(workload=of, template=template):
                self._change(of, good_template=template)

    def _change(self, of: Object, **fields: Any) -> bool:
        now = self.workload
        if now is None or (now.uid, now.resource_version) != (of.uid, of.resource_version):
            return False
        version = str(int(now.resource_version) + 1)
        self.workload = now._replace(resource_version=version, **fields)
        return True

    def _do_to_claim(self, step: Step) -> None:
        match step:
            case StampClaim(claim=of, cluster_id=cluster_id, member_id=member_id):
                if (disk := self._disk(of)) is not None:
                    disk.cluster_id, disk.member_id = cluster_id, member_id
            case RetireClaim(claim=of):
                if (disk := self._disk(of)) is not None:
                    self._check_given_up(disk)
                    disk.retired = True
            case DeleteClaim(claim=of):
                if (disk := self._disk(of)) is not None:
                    self._check_not_configured(disk)
                    disk.terminating = True
                    if disk.uid in self.asked.claims.values():
                        self.asked.effects[TaskKind.ACKNOWLEDGE_DATA] += 1
            case ExpandClaim(claim=of, size_bytes=size):
                if (disk := self._disk(of)) is not None:
                    disk.refusal = "the storage class does not expand" if self.rigid else ""
                    disk.size_bytes = disk.size_bytes if self.rigid else size
            case OwnClaim(claim=of, owned=owned):
                if (disk := self._disk(of)) is not None:
                    disk.owned = owned

    def _disk(self, of: Object) -> Disk | None:
        for disk in self.disks.values():
            if (disk.uid, str(disk.version)) == (of.uid, of.resource_version):
                disk.version += 1
                return disk
        return None

    def _check_edge(self, replicas: int) -> None:
        """No member's pod ends by shrinking; none begins on a disk that was retired, unless it is
        on the way to one that may be a member's."""
        now = 0 if self.workload is None else self.workload.replicas
        for at in range(max(1, replicas), now) if replicas else ():
            if at in self.disks and self.disks[at].member in self._configured():
                raise Wrong(f"log-{at} is a member, and its pod goes")
        kept = max((at for at, disk in self.disks.items() if not disk.retired), default=-1)
        for at in range(now, replicas):
            if at in self.disks and self.disks[at].retired and at > kept:
                raise Wrong(f"log-{at} begins on a disk that was retired")

    def _configured(self) -> set[str]:
        """Also who has left by a record that may be lost again."""
        log = self.cluster
        return {*log.voters, *log.learners, *(log.outgoing or ()), *log.leaving}

    def _check_given_up(self, disk: Disk) -> None:
        """What a recovery went on without may be all there is of some records: a person decides."""
        (at,) = (at for at, each in self.disks.items() if each is disk)
        member = self.cluster.members.get(disk.member or "")
        left_out = (
            member is not None and member.number < self.cluster.number and member.state != "removed"
        )
        staying = at < self.spec.replicas and member is not None and member.holds
        if left_out and staying and disk.uid not in self.asked.claims.values():
            raise Wrong(f"the disk of {disk.member}, left out by a recovery, is given up by nobody")

    def _check_not_configured(self, disk: Disk) -> None:
        if disk.member in self._configured():
            raise Wrong(f"the claim of {disk.member}, a member, is deleted")

    def _stop_pod(self, of: Object) -> None:
        for at, pod in self.pods.items():
            if pod.uid == of.uid and not pod.terminating:
                self._check_quorum_without(at)
                pod.terminating = True
        self._see_alive()

    def _check_quorum_without(self, at: int) -> None:
        member = self._answering().get(at)
        if member is None or member not in self.cluster.alive:
            return
        halves = [self.cluster.voters, *([self.cluster.outgoing] if self.cluster.outgoing else [])]
        before = all(self.cluster.quorum(half) for half in halves)
        self.cluster.alive.discard(member)
        after = all(self.cluster.quorum(half) for half in halves)
        self.cluster.alive.add(member)
        if before and not after and min(len(half) for half in halves) > 2:
            raise QuorumBroken(f"log-{at} is stopped, and the others are no quorum")
