"""One pass over a log: read everything once, plan, tell, act.

What the plan follows from is never remembered from pass to pass; only what was refused is, for when
it is tried again and for what is told of it (setbacks.py).

It is told before it is acted: the status says what is being done while it is done, and holds the
image that a log without one was given before the first pod is made of it.

Decides: that order, and when the next pass is due. What changes without an event (how far a member
has caught up) is looked for often while something is under way.
Must not know: what is planned (planner), how a deed is done (act.py).
Read next: gather.py, observe.py, planner/plan.py, act.py, telling.py.
"""

import random
import time
from collections.abc import Sequence
from typing import Final

from replog_operator.kube.act import Scene, act
from replog_operator.kube.apply import Applied
from replog_operator.kube.children.wanted import OperatorPods
from replog_operator.kube.gather import Gathered, gather
from replog_operator.kube.hands import Hands
from replog_operator.kube.kinds import TASK
from replog_operator.kube.observe import around, foreign_waits, observed, wanted_of
from replog_operator.kube.portray import portray
from replog_operator.kube.process import Tools
from replog_operator.kube.refused_growth import RefusedGrowth
from replog_operator.kube.rolls import Rolls
from replog_operator.kube.setbacks import AllSetbacks, tried_now, waits
from replog_operator.kube.settings import labels_of
from replog_operator.kube.task_telling import tell_orphans, tell_tasks
from replog_operator.kube.telling import Telling
from replog_operator.kube.wishes import Wishes, wishes
from replog_operator.kube.workers import Pass
from replog_operator.kube.workqueue import RESYNC_S, Key
from replog_operator.members.outcomes import Became, Outcome
from replog_operator.model.observed import Capabilities, Observed, Operator
from replog_operator.model.plan import LaneStep, Plan
from replog_operator.model.steps import ExpandClaim
from replog_operator.planner.authority import newer_epoch
from replog_operator.planner.facts import facts
from replog_operator.planner.plan import plan
from replog_operator.planner.tasks import answers

AFTER_STEP_S: Final = 0.5
"""What was done is soon to be seen."""
AFTER_REFUSAL_S: Final = 5.0
"""Where the status could not be stored, though it must be before anything is done."""
UNDER_WAY_S: Final = 2.0
"""While something is waited for that no event tells."""
CALM_S: Final = 10.0
"""A member that falls behind, or is cut off, stays ready and makes no event: what may fail, and so
what a drain may take, is looked at so often."""


def reconciler(tools: Tools) -> Pass:
    """The passes of one process."""
    return Reconciler(tools).run


class Reconciler:
    """What passes share: what was applied, whose turn it is to roll, what was told lately."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        settings = tools.settings
        self._image = settings.node_image
        self._pods = OperatorPods(settings.lease_namespace, labels_of(settings.pod_labels))
        self._rolls = Rolls(settings.max_concurrent_rolls)
        self._applied = Applied()
        self._refused_growth = RefusedGrowth()
        self._setbacks = AllSetbacks(random.random)
        self._telling = Telling(tools.writes, tools.metrics.logs, settings.pod_name, tools.log)

    async def run(self, key: Key) -> float | None:
        """One pass; in how many seconds the next is due, None if there is no such log."""
        found = await gather(self._tools.reads, self._tools.nodes, *key)
        if found is None:
            self._rolls.forget(key)
            self._setbacks.forget(key)
            tasks = await self._tools.reads.list(TASK, key.namespace, "")
            await tell_orphans(key.name, tasks, self._hands(key), time.time())
            return None
        epoch = self._tools.fence.check()
        return await self._look(key, found, Operator(epoch.number, epoch.holder))

    async def _look(self, key: Key, found: Gathered, operator: Operator) -> float:
        now_s = time.time()
        log = wishes(found.resource)
        wanted = wanted_of(log, found, self._image, self._pods)
        children = around(found, wanted, self._applied.must_apply, self._applied.untouched)
        seen = observed(
            log, found, wanted, children,
            operator=operator,
            platform=Capabilities(may_roll=self._rolls.may(key)),
            refused_growth=self._refused_growth.known(now_s),
            now_s=now_s,
        )  # fmt: skip
        made = plan(log.log, seen)
        known = self._setbacks.of(key, log.log.uid, log.log.generation)
        made = made._replace(waits=(*made.waits, *foreign_waits(children), *waits(known, made)))
        self._rolls.note(key, seen, made)
        self._rise(made, seen)
        picture = portray(log, wanted, seen, made)
        stored = await self._telling.tell(found.resource, picture, now_s)
        if not (stored or log.image):
            return AFTER_REFUSAL_S  # the image of the first pods must be remembered before them
        scene = Scene(wanted, found, children, seen.workload, operator, now_s)
        outcomes = [
            await self._do(key, step, scene, now_s) for step in tried_now(known, made, now_s)
        ]
        self._setbacks.note(key, known, made, outcomes, now_s)
        said = answers(facts(log.log, seen))
        await tell_tasks(found.resource, found.tasks, said, made, self._hands(key), now_s)
        return next_in_s(log, made, outcomes, calm=picture.reached and picture.operation is None)

    def _rise(self, made: Plan, seen: Observed) -> None:
        """The log remembers a higher number than ours: the lease must have one above it."""
        newer = newer_epoch(made, seen)
        if newer is not None:
            self._tools.rise_above(newer)

    def _hands(self, key: Key) -> Hands:
        return Hands(key.namespace, self._tools.writes, self._tools.nodes, self._applied)

    async def _do(self, key: Key, step: LaneStep, scene: Scene, now_s: float) -> Outcome:
        tools, name = self._tools, type(step.step).__name__
        outcome = await act(step.step, scene, self._hands(key))
        tools.metrics.logs.count(name, outcome.became.value)
        log = tools.log.bind(namespace=key.namespace, name=key.name, step=name)
        log.info(
            "step", why=step.why, became=outcome.became.value, code=outcome.code,
            message=outcome.message,
        )  # fmt: skip
        if isinstance(step.step, ExpandClaim) and outcome.became is Became.REFUSED:
            self._refused_growth.note(step.step.claim.uid, outcome.message, now_s)
        return outcome


def next_in_s(log: Wishes, made: Plan, outcomes: Sequence[Outcome], *, calm: bool) -> float:
    """When to look again, if nothing wakes us before. outcomes: of the steps that were tried."""
    if any(outcome.became is not Became.REFUSED for outcome in outcomes):
        return AFTER_STEP_S
    if made.steps:  # all that were tried are refused; the others wait for their turn
        return UNDER_WAY_S
    resting = log.log.suspend or log.log.hibernate or log.log.deleting
    if resting:
        return RESYNC_S
    return CALM_S if calm and not made.waits else UNDER_WAY_S
