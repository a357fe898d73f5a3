"""Scenario files of the planner: what people or fate do, `----`, and every step that follows.

    log N                 a resource for N members appears; nothing is there yet
    scale N | image X | size N | hibernate on|off | suspend on|off | delete
    lose N                pod and claim of this ordinal go
    empty N …             the disks of these ordinals are empty, and their pods go
    end N                 the pod of this ordinal is deleted by somebody
    lead N                the member of this ordinal leads
    hang N | wake         a pod answers nobody; all go on
    recreate N            resource and children go, claims stay; it comes back for N members
    unhost N | host N     the host of this pod does not answer; it does again
    rigid on|off          disks do not grow any more; they do (what was refused is asked again)
    budget on|off         a budget forbids every eviction; it does no more
    update OnDelete|LeaderLast
    foreign on|off        the workload belongs to somebody else
    task KIND [SUBJECT]   somebody makes a task; a subject that is an ordinal means its member
    recover TASK N [N …]  a task: by that survey the member of the first ordinal goes on alone, and
                          those of the others are stopped
    cancel TASK           a task: that survey is taken back
    told                  what has become of tasks since this was asked last
    lag on|off            a member lags, so the leader lets nobody be stopped
    queue on|off          other logs are being rolled
    twin N M              the disk of N is copied to M
    expel N               somebody else has the log remove the member of this ordinal
    stall on|off          what the leader writes about the membership is not committed; it is again
    fence N | removed N   the member says so of itself, whatever the others say
    ending N              the member ends, and says nothing of the others any more
    unknown N             a claim at this ordinal of which nobody knows anything
    acknowledge N         a task: the claim of this ordinal may go with its data
    pin N | unpin N       a finalizer of somebody's keeps the claim
    workload going|gone   somebody deletes the workload, and its pods with it
    stranger pod|claim    an object with the log's labels that can't be its own
    stamp N ID            the claim of this ordinal is of another cluster
    operator EPOCH [LEASE]  another operator acts from now on
    pass [N]              the operator looks, and acts, so many times; ten seconds each
    settle                until there is nothing left to do but wait
    status                how it is

The outcome is what the planner says (planner/describe.py); what it said the pass before is left
out. `settle` ends with the status.

Decides: that language. Must not know: what is right.
Read next: test_planner.py, ../../properties/planner/world.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from replog_operator.kube.setbacks import Setbacks, after, tried_now, waits
from replog_operator.members.outcomes import DONE, Became, Outcome
from replog_operator.model.observed import Claim, Observed, Operator, Pod, PodState, TaskKind
from replog_operator.model.steps import EvictPod
from replog_operator.model.steps import Step as Deed
from replog_operator.planner.describe import describe
from replog_operator.planner.plan import plan
from tests.properties.planner import paths
from tests.properties.planner.world import Disk, World
from tests.scenario.script import Step, parse

PASSES_MAX: Final = 80
QUIET_PASSES: Final = 4
"""After so many passes that say the same and change nothing, it has come to rest."""
UPDATE_S: Final = 120.0


class Player:
    """Carries commands out on a world of its own."""

    def __init__(self) -> None:
        self.world = World(paths.spec(1))
        self._said: list[str] = []
        self._told = 0
        self._strangers: tuple[str, ...] = ()
        self._setbacks = Setbacks("", 0, {})

    def play(self, line: str) -> list[str]:
        """Carry one out; what followed, line by line."""
        name, *words = line.split()
        command: Callable[..., list[str] | None] | None = getattr(self, f"_do_{name}", None)
        if command is None:
            raise ValueError(f"unknown command {line!r}")
        return command(*words) or ["nothing"]

    def _do_log(self, replicas: str) -> None:
        self.world = World(paths.spec(int(replicas)))

    def _do_scale(self, replicas: str) -> None:
        paths.scale(int(replicas))(self.world)

    def _do_image(self, name: str) -> None:
        paths.image(name)(self.world)

    def _do_size(self, size_bytes: str) -> None:
        paths.grow_disks(int(size_bytes))(self.world)

    def _do_hibernate(self, word: str) -> None:
        paths.hibernate(word == "on")(self.world)

    def _do_suspend(self, word: str) -> None:
        self.world.spec = self.world.spec._replace(suspend=word == "on")

    def _do_delete(self) -> None:
        self.world.spec = self.world.spec._replace(deleting=True)

    def _do_lose(self, ordinal: str) -> None:
        paths.lose_disk(int(ordinal))(self.world)

    def _do_empty(self, *ordinals: str) -> None:
        for ordinal in map(int, ordinals):
            self.world.disks[ordinal].member = None
            self.world.pods.pop(ordinal, None)
        self.world.cluster.leader = None

    def _do_end(self, ordinal: str) -> None:
        self.world.pods[int(ordinal)].terminating = True

    def _do_lead(self, ordinal: str) -> None:
        paths.lead(int(ordinal))(self.world)

    def _do_hang(self, ordinal: str) -> None:
        self.world.pods[int(ordinal)].hung = True
        self.world.tick()

    def _do_wake(self) -> None:
        paths.wake(self.world)

    def _do_recreate(self, replicas: str) -> None:
        paths.recreate(int(replicas))(self.world)

    def _do_unhost(self, ordinal: str) -> None:
        self.world.pods[int(ordinal)].lost = True
        self.world.tick()

    def _do_host(self, ordinal: str) -> None:
        self.world.pods[int(ordinal)].lost = False

    def _do_rigid(self, word: str) -> None:
        self.world.rigid = word == "on"
        for disk in self.world.disks.values():
            disk.refusal = ""

    def _do_budget(self, word: str) -> None:
        self.world.held = word == "on"

    def _do_update(self, strategy: str) -> None:
        self.world.spec = self.world.spec._replace(leader_last=strategy == "LeaderLast")

    def _do_foreign(self, word: str) -> None:
        if self.world.workload is not None:
            self.world.workload = self.world.workload._replace(foreign=word == "on")

    def _do_task(self, kind: str, subject: str = "") -> None:
        if subject.isdigit():
            subject = self.world.disks[int(subject)].member or ""
        self.world.asked.ask(TaskKind(kind), subject)

    def _do_recover(self, survey: str, survivor: str, *others: str) -> None:
        known = self.world.disks
        ids = [known[int(at)].member or "" for at in (survivor, *others)]
        self.world.asked.ask(TaskKind.RECOVER, ids[0], survey=survey, stopped=tuple(ids[1:]))

    def _do_cancel(self, survey: str) -> None:
        self.world.asked.ask(TaskKind.CANCEL_SURVEY, survey=survey)

    def _do_told(self) -> list[str]:
        ended = list(self.world.asked.ended.items())[self._told :]
        self._told += len(ended)
        return [f"{name} {'done' if done else 'failed'}: {said}" for name, (done, said) in ended]

    def _do_lag(self, word: str) -> None:
        self.world.lags = word == "on"

    def _do_queue(self, word: str) -> None:
        self.world.queued = word == "on"

    def _do_twin(self, of: str, at: str) -> None:
        self.world.disks[int(at)].member = self.world.disks[int(of)].member

    def _do_expel(self, ordinal: str) -> None:
        paths.expel(int(ordinal))(self.world)

    def _do_stall(self, word: str) -> None:
        self.world.cluster.stalled = word == "on"

    def _do_fence(self, ordinal: str) -> None:
        self._says(ordinal, "fenced")

    def _do_removed(self, ordinal: str) -> None:
        self._says(ordinal, "removed")

    def _do_ending(self, ordinal: str) -> None:
        self._says(ordinal, "stopping")

    def _says(self, ordinal: str, state: str) -> None:
        member = self.world.disks[int(ordinal)].member
        if member is not None:
            self.world.cluster.members[member].state = state

    def _do_unknown(self, ordinal: str) -> None:
        uid = self.world.uid("claim")
        self.world.disks[int(ordinal)] = Disk(uid, size_bytes=self.world.spec.storage_bytes)

    def _do_acknowledge(self, ordinal: str) -> None:
        uid = self.world.disks[int(ordinal)].uid
        self.world.asked.ask(TaskKind.ACKNOWLEDGE_DATA, f"data-log-{ordinal}", uid)

    def _do_pin(self, ordinal: str) -> None:
        self.world.disks[int(ordinal)].pinned = True

    def _do_unpin(self, ordinal: str) -> None:
        self.world.disks[int(ordinal)].pinned = False

    def _do_workload(self, word: str) -> None:
        if self.world.workload is not None:
            self.world.workload = self.world.workload._replace(terminating=True)
        if word == "gone":
            self.world.workload = None
            self.world.pods.clear()

    def _do_stranger(self, kind: str) -> None:
        self._strangers += (kind,)

    def _do_stamp(self, ordinal: str, cluster_id: str) -> None:
        self.world.disks[int(ordinal)].cluster_id = cluster_id

    def _do_operator(self, epoch: str, lease: str = "ns/lease") -> None:
        self.world.operator = Operator(int(epoch), f"{lease}#{epoch}")

    def _do_pass(self, count: str = "1") -> list[str]:
        return [line for _ in range(int(count)) for line in self._pass()]

    def _do_settle(self) -> list[str]:
        told, quiet = [], 0
        for _ in range(PASSES_MAX):
            writes = len(self.world.writes)
            told += self._pass()
            quiet = 0 if len(self.world.writes) > writes else quiet + 1
            if quiet >= QUIET_PASSES and not self._waits_for_time():
                return [*told, *self._do_status()]
        return [*told, f"not at rest after {PASSES_MAX} passes"]

    def _waits_for_time(self) -> bool:
        """A canary that isn't well is given its time."""
        first_s = min((pod.created_s for pod in self.world.pods.values()), default=0.0)
        canary = any("MemberRestarting" in line for line in self._said)
        return canary and self.world.now_s - first_s < 10 * UPDATE_S

    def _do_status(self) -> list[str]:
        world = self.world
        at = {disk.member: ordinal for ordinal, disk in world.disks.items() if disk.member}
        voters = sorted(str(at.get(member, member)) for member in world.cluster.voters)
        retired = [str(ordinal) for ordinal, disk in sorted(world.disks.items()) if disk.retired]
        images = sorted({pod.revision for pod in world.pods.values()})
        return [
            f"= voters {','.join(voters) or 'none'}, {len(world.pods)} pods of "
            f"{','.join(images) or 'no image'}, {len(world.disks)} claims"
            + (f", retired {','.join(retired)}" if retired else "")
            + f", {len(world.cluster.joints)} joint changes"
        ]

    def _pass(self) -> list[str]:
        found = plan(self.world.spec, self._seen())
        known, now_s = self._setbacks, self.world.now_s
        found = found._replace(waits=(*found.waits, *waits(known, found)))
        done = [self._act(step.step) for step in tried_now(known, found, now_s)]
        self._setbacks = after(known, found, done, now_s, random=0.0)
        if self.world.cluster.cluster_id is not None and self.world.cluster.leader is not None:
            self.world.remembered_cluster = self.world.cluster.cluster_id
        self.world.tick()
        said, before = describe(found), self._said
        self._said = said
        return [line for line in said if line not in before]

    def _act(self, step: Deed) -> Outcome:
        self.world.act(step)
        if self.world.held and isinstance(step, EvictPod):
            return Outcome(Became.REFUSED, "TooManyRequests", "the budget forbids it")
        return DONE

    def _seen(self) -> Observed:
        seen = self.world.observe()
        if "pod" in self._strangers:
            pod = Pod("log-x", "x", "1", None, PodState.READY, 0.0, 0.0, "v1")
            seen = seen._replace(pods=(*seen.pods, pod))
        if "claim" in self._strangers:
            seen = seen._replace(claims=(*seen.claims, Claim("data-log-x", "x", "1", None)))
        return seen


def played(path: Path) -> list[Step]:
    """The file's steps with what really follows from each."""
    player = Player()
    return [
        Step(step.before, step.command, player.play(step.command))
        for step in parse(path.read_text())
    ]
