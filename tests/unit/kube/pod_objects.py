"""Pods as kubelets and controllers write them, in the states that are hard to tell apart.

The fields are those that an API server of 1.36 served; what no test reads is left out.

Decides: those objects. Must not know: what is made of them.
Read next: test_pods.py.
"""

from typing import Any

MADE = "2026-11-25T10:00:00Z"
UP = "2026-11-25T10:00:05Z"
CHANGED = "2026-11-25T11:00:00Z"
NOW_S = 1795608060.0
"""2026-11-25T12:01:00Z."""


def pod(name: str = "orders-1", **status: Any) -> dict[str, Any]:
    """A pod of the log `orders` with this status."""
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-of-{name}",
            "resourceVersion": "4711",
            "creationTimestamp": MADE,
            "labels": {"controller-revision-hash": "orders-6b7f"},
        },
        "spec": {
            "nodeName": "host-a",
            "containers": [{"name": "node", "image": "replicated-log:1.0"}],
        },
        "status": status,
    }


def conditions(
    ready: bool, *, scheduled: bool = True, since: str = CHANGED
) -> list[dict[str, Any]]:
    """PodScheduled and Ready, as the kubelet keeps them."""
    if not scheduled:
        message = "0/3 nodes are available: 3 Insufficient memory."
        return [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
             "message": message, "lastTransitionTime": MADE},
        ]  # fmt: skip
    unready = {"reason": "ContainersNotReady", "message": "containers with unready status: [node]"}
    return [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": MADE},
        {"type": "Ready", "status": str(ready), "lastTransitionTime": since,
         **({} if ready else unready)},
    ]  # fmt: skip


def container(**fields: Any) -> list[dict[str, Any]]:
    """The status of the pod's one container."""
    return [{"name": "node", "ready": False, "restartCount": 0, "lastState": {}, **fields}]


def running(*, ready: bool, started: bool = True, restarts: int = 0) -> dict[str, Any]:
    """A pod whose container runs."""
    found = container(
        ready=ready, started=started, restartCount=restarts, state={"running": {"startedAt": UP}}
    )
    return pod(
        phase="Running", conditions=conditions(ready), containerStatuses=found, podIP="10.0.0.7"
    )


def waiting(reason: str, message: str, *, ended: dict[str, Any] | None = None) -> dict[str, Any]:
    """A pod whose container can't run. ended: how it ended last."""
    found = container(
        started=False,
        restartCount=0 if ended is None else 5,
        lastState={} if ended is None else {"terminated": ended},
        state={"waiting": {"reason": reason, "message": message}},
    )
    return pod(
        phase="Pending" if ended is None else "Running",
        conditions=conditions(ready=False),
        containerStatuses=found,
    )


def ended(code: int, at: str = CHANGED) -> dict[str, Any]:
    """How a container ended."""
    return {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": at}
