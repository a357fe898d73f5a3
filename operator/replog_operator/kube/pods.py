"""What a pod's own status says of it: whether it runs, and if not, for how long and why.

Kubernetes has no word for this. A phase is `Running` also while the container crashes over and
over, and the moment between two crashes looks like any start; so several fields are read together.

Decides: the state, since when, and the sentence about it. Must not know: what is done about it.
Read next: observe.py.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from replog_operator.kube.children.names import CONTAINER, ordinal_of
from replog_operator.model.observed import PodState

CRASHED_LATELY_S: Final = 600.0
"""Kubelets pause five minutes at most between two starts: twice that without a crash is none."""

IMAGE_REASONS: Final = frozenset(
    {"ErrImageNeverPull", "ErrImagePull", "ImageInspectError", "ImagePullBackOff",
     "InvalidImageName", "RegistryUnavailable"}
)  # fmt: skip
CRASH_REASONS: Final = frozenset(
    {"CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
     "StartError"}
)  # fmt: skip
REVISION_LABEL: Final = "controller-revision-hash"
MESSAGE_CHARS: Final = 200


class PodFacts(NamedTuple):
    """A pod in short. ordinal: None for one that the StatefulSet can't have made.

    since_s: when the state began, created_s: when the pod was made; seconds since 1970. message:
    one sentence about a state that is not well.
    """

    name: str
    uid: str
    resource_version: str
    ordinal: int | None
    state: PodState
    since_s: float
    created_s: float
    revision: str
    image: str
    message: str


def pod_facts(log: str, pod: Mapping[str, Any], now_s: float) -> PodFacts:
    """Read a pod's object. Total: of a pod without a status it is pending."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    container = _container(status)
    state, message = _state(metadata, status, container, now_s)
    return PodFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        ordinal=ordinal_of(log, metadata["name"]),
        state=state,
        since_s=_since_s(metadata, status, state),
        created_s=seconds(metadata.get("creationTimestamp"), 0.0),
        revision=metadata.get("labels", {}).get(REVISION_LABEL, ""),
        image=next((c["image"] for c in spec.get("containers", ()) if c["name"] == CONTAINER), ""),
        message=" ".join(message.split())[:MESSAGE_CHARS],
    )


def _state(
    metadata: Mapping[str, Any],
    status: Mapping[str, Any],
    container: Mapping[str, Any],
    now_s: float,
) -> tuple[PodState, str]:
    phase, ready = status.get("phase", "Pending"), _condition(status, "Ready")
    if metadata.get("deletionTimestamp"):
        return PodState.TERMINATING, "it is being deleted"
    if phase in ("Failed", "Succeeded"):
        return PodState.FAILED, _said(status, f"its phase is {phase}")
    if phase == "Unknown" or status.get("reason") == "NodeLost":
        return PodState.LOST, _said(status, "its host does not answer")
    stuck = _stuck(container, now_s)
    if stuck is not None:
        return stuck
    if ready.get("status") == "True":
        return PodState.READY, ""
    if not _started(container):
        return _beginning(status, container)
    return PodState.UNREADY, ready.get("message", "")


def _stuck(container: Mapping[str, Any], now_s: float) -> tuple[PodState, str] | None:
    waiting = container.get("state", {}).get("waiting", {})
    reason = waiting.get("reason", "")
    if reason in IMAGE_REASONS:
        return PodState.IMAGE_ERROR, f"{reason}: {waiting.get('message', '')}"
    if reason in CRASH_REASONS or _crashed_lately(container, now_s):
        return PodState.CRASH_LOOP, _crash(container, waiting)
    return None


def _crashed_lately(container: Mapping[str, Any], now_s: float) -> bool:
    """Whether it starts again after more than one crash, and has not come to be ready since."""
    ended = _ended(container)
    if container.get("ready") or container.get("restartCount", 0) < 2 or not ended.get("exitCode"):
        return False
    return now_s - seconds(ended.get("finishedAt"), now_s) < CRASHED_LATELY_S


def _crash(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    code = _exit_code(container)
    if code is None:
        return f"{waiting.get('reason', '')}: {waiting.get('message', '')}"
    return f"its container ended {container.get('restartCount', 0)} times, last with {code}"


def _beginning(status: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[PodState, str]:
    """Before its container was up: waits for a host or a volume, or for the node's own start."""
    if "running" in container.get("state", {}):
        return PodState.STARTING, "its node proves what is on its disk"
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") != "True":
        return PodState.PENDING, scheduled.get("message", "it waits for a host")
    waiting = container.get("state", {}).get("waiting", {})
    return PodState.PENDING, waiting.get("message") or "its host prepares it"


def _since_s(metadata: Mapping[str, Any], status: Mapping[str, Any], state: PodState) -> float:
    """When the state began: readiness changed then, or else the pod was made then."""
    created_s = seconds(metadata.get("creationTimestamp"), 0.0)
    if state is PodState.TERMINATING:
        # The timestamp is when its grace ends, not when it was asked to go.
        grace_s = float(metadata.get("deletionGracePeriodSeconds") or 0)
        return seconds(metadata["deletionTimestamp"], created_s) - grace_s
    return seconds(_condition(status, "Ready").get("lastTransitionTime"), created_s)


def seconds(text: str | None, otherwise: float) -> float:
    """A time of Kubernetes as seconds since 1970."""
    return otherwise if not text else datetime.fromisoformat(text).timestamp()


def _container(status: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Sequence[Mapping[str, Any]] = status.get("containerStatuses") or ()
    return next((item for item in found if item["name"] == CONTAINER), {})


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    return next((item for item in found if item["type"] == kind), {})


def _started(container: Mapping[str, Any]) -> bool:
    return bool(container.get("started"))


def _ended(container: Mapping[str, Any]) -> Mapping[str, Any]:
    now: Mapping[str, Any] = container.get("state", {}).get("terminated", {})
    last: Mapping[str, Any] = container.get("lastState", {}).get("terminated", {})
    return now or last


def _exit_code(container: Mapping[str, Any]) -> int | None:
    code = _ended(container).get("exitCode")
    return None if code is None else int(code)


def _said(status: Mapping[str, Any], otherwise: str) -> str:
    said = [status.get("reason", ""), status.get("message", "")]
    return ": ".join(part for part in said if part) or otherwise
