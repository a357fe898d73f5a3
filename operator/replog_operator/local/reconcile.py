"""One pass over a local log: look, plan by the shared planner, act. Then the next.

Decides: that order, how soon the next pass is due, and what is told of a plan: each step as it is
taken, each wait once. Must not know: what is planned (planner), how a deed is done (hands.py).
Read next: gather.py, observe.py, hands.py, ../planner/plan.py.
"""

import asyncio
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from replog.wire.schemas import ClusterStatus
from replog_operator.local.followed import Followed
from replog_operator.local.gather import LocalNodes, gather
from replog_operator.local.hands import Hands
from replog_operator.local.notes import Template
from replog_operator.local.observe import cluster_of, observed, operator_of, ordinals_of, wishes_of
from replog_operator.local.processes import LOOP_AFTER, Processes, Slot, TooManyAside
from replog_operator.local.said import Said
from replog_operator.local.settings import UpSettings
from replog_operator.local.spec import LocalSpec
from replog_operator.local.state import StateFile, StateNotSaved
from replog_operator.local.template import hash_of, wanted_template
from replog_operator.members.outcomes import Became, Outcome
from replog_operator.model import steps
from replog_operator.model.observed import Observed, Operator, Pod, PodState
from replog_operator.model.plan import LaneStep, Plan
from replog_operator.planner.authority import newer_epoch
from replog_operator.planner.plan import plan

AFTER_STEP_S: Final = 0.1
UNDER_WAY_S: Final = 0.3
AFTER_REFUSAL_S: Final = 1.0
CALM_S: Final = 1.0

Tell = Callable[[str], None]

UNTOLD: Final = (steps.StampClaim, steps.RetireClaim, steps.DeleteClaim, steps.NoteGood)
"""Notes that nobody needs to hear of; what becomes of a directory is told where it is done."""


class Reconciler:
    """The passes of one supervisor. said: what members said last."""

    def __init__(
        self,
        file: StateFile,
        followed: Followed,
        settings: UpSettings,
        nodes: LocalNodes,
        processes: Processes,
        tell: Tell,
        *,
        fresh: bool,
    ) -> None:
        """fresh: nothing was remembered of this directory."""
        self._fresh = fresh
        self._file = file
        self._followed = followed
        self._settings = settings
        self._nodes = nodes
        self._processes = processes
        self._hands = Hands(file, processes, settings, nodes)
        self._tell = tell
        self._identity = uuid.uuid4().hex[:8]
        self._calm = False
        self._told: tuple[str, ...] = ()
        self.said = Said()
        self.waits: frozenset[str] = frozenset()
        self.settled_at = 0

    @property
    def answers(self) -> Mapping[int, ClusterStatus]:
        """The members' last words."""
        return self.said.answers

    def begin(self) -> None:
        """Be in charge: the log learns a higher epoch than any supervisor before had."""
        state = self._file.now
        self._file.save(replace(state, epoch=state.epoch + 1, processes={}))

    async def run(self) -> None:
        """Pass after pass, until cancelled."""
        while True:
            await asyncio.sleep(await self.once())

    async def once(self) -> float:
        """One pass; in how many seconds the next is due."""
        spec = self._followed.look()
        try:
            self._processes.settle()
        except (OSError, TooManyAside) as problem:
            self._tell_waits((f"a member can't be begun or given up: {problem}",))
            return AFTER_REFUSAL_S
        asked = [at for at, slot in self._processes.slots.items() if slot.member.pid is not None]
        said = await gather(self._nodes, self._settings, asked, thorough=not self._calm)
        self.said = said
        now_s = time.time()
        self._see(said, now_s)
        try:
            self._remember(said)
            return await self._plan(spec, said, now_s)
        except StateNotSaved as problem:
            self._tell_waits((str(problem),))
            return AFTER_REFUSAL_S

    async def _plan(self, spec: LocalSpec, said: Said, now_s: float) -> float:
        template = wanted_template(spec, os.environ)
        wanted = (hash_of(template), template)
        operator = operator_of(self._file.now, self._identity)
        addresses = self._settings.peer_addresses(ordinals_of(spec, self._file.now))
        seen = observed(
            self._file.now, addresses, pods_of(self._processes.slots), said,
            operator=operator, template=wanted[0], now_s=now_s,
        )  # fmt: skip
        made = plan(wishes_of(spec, self._file.now), seen)
        self._rise(made, seen)
        self._show(made)
        self._note_settled(spec, seen, made)
        outcomes = [await self._take(step, operator, wanted) for step in made.steps]
        was_calm, self._calm = self._calm, self._is_calm(made, seen)
        if any(outcome.became is Became.REFUSED for outcome in outcomes):
            return AFTER_REFUSAL_S
        if outcomes or was_calm != self._calm:
            return AFTER_STEP_S
        return CALM_S if self._calm else UNDER_WAY_S

    async def _take(
        self, step: LaneStep, operator: Operator, wanted: tuple[str, Template]
    ) -> Outcome:
        if not isinstance(step.step, UNTOLD):
            self._tell(words_of(step.why))
        outcome = await self._hands.do(step.step, operator, wanted)
        if outcome.became is not Became.DONE:
            self._tell(words_of(f"not yet: {step.why}: {outcome.message}"))
        return outcome

    def _remember(self, said: Said) -> None:
        """Which cluster it is: once one is founded here, no other may be.

        Notes that somebody deleted are written again: others read them (`replog plan`).
        """
        found = self._file.now.cluster_id or cluster_of(list(said.answers.values()))
        self._file.save(replace(self._file.now, cluster_id=found))

    def _see(self, said: Said, now_s: float) -> None:
        for ordinal, slot in self._processes.slots.items():
            slot.see(state_of(ordinal, slot, said), now_s)

    def _rise(self, made: Plan, seen: Observed) -> None:
        """The log remembers a higher epoch, as after this directory's notes were lost."""
        newer = newer_epoch(made, seen) if self._fresh else None
        if newer is not None:
            self._file.save(replace(self._file.now, epoch=newer + 1))

    def _show(self, made: Plan) -> None:
        self.waits = frozenset(wait.code for wait in made.waits)
        self._tell_waits(tuple(words_of(f"{wait.code}: {wait.evidence}") for wait in made.waits))

    def _tell_waits(self, waits: tuple[str, ...]) -> None:
        for wait in waits:
            if wait not in self._told:
                self._tell(wait)
        self._told = waits

    def _note_settled(self, spec: LocalSpec, seen: Observed, made: Plan) -> None:
        """How many members there are once all is as it is wanted; 0 until then."""
        leader = self.said.leader
        settled = self._is_calm(made, seen) and leader is not None and len(seen.pods) > 0
        if settled and leader is not None and seen.answers[leader].admitting:
            if self.settled_at != spec.replicas:
                members = "member" if spec.replicas == 1 else "members"
                self._tell(f"ready: member-{leader} leads {spec.replicas} {members}")
            self.settled_at = spec.replicas
        else:
            self.settled_at = 0

    def _is_calm(self, made: Plan, seen: Observed) -> bool:
        well = all(pod.state is PodState.READY for pod in seen.pods)
        return well and not made.steps and not made.waits


def words_of(text: str) -> str:
    """The planner's words as people know things here: processes, where elsewhere pods are."""
    return _POD.sub(lambda found: f"process{'es' if found[1] else ''}", text)


_POD: Final = re.compile(r"\bpod(s?)\b")


def state_of(ordinal: int, slot: Slot, said: Said) -> PodState:
    """How a member's process is."""
    if slot.stopping:
        return PodState.TERMINATING
    if slot.member.hopeless is not None or slot.member.deaths >= LOOP_AFTER:
        return PodState.CRASH_LOOP
    if slot.member.pid is None:
        return PodState.STARTING
    if ordinal in said.ready:
        return PodState.READY
    return PodState.UNREADY if ordinal in said.answers else PodState.STARTING


def pods_of(slots: Mapping[int, Slot]) -> tuple[Pod, ...]:
    """The slots as the planner knows them."""
    return tuple(
        Pod(
            slot.member.name, slot.note.uid, "1", ordinal, slot.state, slot.since_s,
            slot.note.created_s, slot.note.template, slot.member.hopeless or "",
        )
        for ordinal, slot in sorted(slots.items())
    )  # fmt: skip
