"""How many logs have their pods replaced at the same time: an image that is bad stops at the first.

A log holds its place from its first replaced pod until all are well with one template. A process
that has just begun finds out who is in the middle of a roll, and counts it.

Decides: who has a place. Must not know: who of a log's pods is next (planner/roll.py).
Read next: reconcile.py.
"""

from replog_operator.kube.workqueue import Key
from replog_operator.model.observed import Observed
from replog_operator.model.plan import Plan
from replog_operator.model.steps import DeletePod, EvictPod, Transfer


class Rolls:
    """The places of one operator."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._holders: set[Key] = set()

    def may(self, key: Key) -> bool:
        """Whether this log may begin, or go on."""
        return key in self._holders or len(self._holders) < self._places

    def note(self, key: Key, seen: Observed, plan: Plan) -> None:
        """After a plan: take the place that it uses, or give back the one that it needs no more."""
        begins = any(isinstance(s.step, EvictPod | DeletePod | Transfer) for s in plan.steps)
        if _rolling(seen) and (key in self._holders or begins or _midway(seen)):
            self._holders.add(key)
        else:
            self.forget(key)

    def forget(self, key: Key) -> None:
        """The log is gone, or done."""
        self._holders.discard(key)


def _rolling(seen: Observed) -> bool:
    """Whether pods are to be replaced, or the template that they have is not proven yet."""
    workload = seen.workload
    if workload is None or not workload.revision:
        return False
    unproven = workload.good_template not in ("", workload.template)
    return unproven or any(pod.revision != workload.revision for pod in seen.pods)


def _midway(seen: Observed) -> bool:
    """Whether some pods are replaced and others are not."""
    revision = "" if seen.workload is None else seen.workload.revision
    return len({pod.revision == revision for pod in seen.pods}) == 2
