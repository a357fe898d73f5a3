"""The PodDisruptionBudget: how many members a drain may take at once.

With one or two members every eviction stops the log, and a budget would only hang the drain. From
three on one may go, and none while no member may fail: so a drain waits for what a member lost by
a failure has to catch up.

Decides: that arithmetic. Must not know: how `tolerates` is found (tolerance.py).
Read next: ../tolerance.py.
"""

from typing import Final

from replog_operator.kube.children.names import selector
from replog_operator.kube.children.wanted import Object, Wanted, metadata

LEAST: Final = 3
"""Members, below which there is none."""


def disruption_budget(wanted: Wanted) -> Object | None:
    """Build it; None: there should be none. What is not known is taken for the worst."""
    if wanted.replicas < LEAST:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(wanted),
        "spec": {
            "maxUnavailable": 1 if wanted.tolerates else 0,
            "selector": {"matchLabels": selector(wanted.name)},
            "unhealthyPodEvictionPolicy": "IfHealthyBudget",
        },
    }
