"""What other controllers leave on a log's objects: a label, an annotation and a finalizer each.

Decides: what the marks are, and which objects carry them. Must not know: what is done to them.
Read next: test_foreign.py.
"""

from collections.abc import Callable, Iterator
from typing import Any

from replog_operator.kube.children.names import LABEL_INSTANCE
from replog_operator.kube.kinds import (
    BUDGET,
    CLAIM,
    CONFIG_MAP,
    LOG,
    NETWORK_POLICY,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Kind,
)
from tests.cluster import paths
from tests.cluster.node import Cluster
from tests.support.processes import eventually

LABEL = "theirs.example/label"
NOTE = "theirs.example/note"
HOLD = "theirs.example/hold"
KEPT = "kept"
CHILDREN = (
    SERVICE_ACCOUNT, CONFIG_MAP, NETWORK_POLICY, SERVICE, BUDGET, STATEFUL_SET, POD, CLAIM,
)  # fmt: skip


class Marks:
    """On the objects of the log of this name; those that come later have none until mark()."""

    def __init__(self, cluster: Cluster, namespace: str, log: str) -> None:
        self._api = cluster.api
        self._namespace = namespace
        self._log = log

    def mark(self) -> list[str]:
        """Put them on every object that lacks them; the paths of all that are marked now."""
        for path, item in self._all():
            if "deletionTimestamp" not in item["metadata"]:
                self._edit(path, _with_marks)
        return self.marked()

    def marked(self) -> list[str]:
        """The paths of all that have every mark."""
        return [path for path, item in self._all() if _is_marked(item["metadata"])]

    def going(self) -> list[str]:
        """The paths of those that are only held by the finalizer any more."""
        return [
            path
            for path, item in self._all()
            if "deletionTimestamp" in item["metadata"]
            and item["metadata"].get("finalizers") == [HOLD]
        ]

    def release(self, path: str) -> None:
        """Take the finalizer off, as whoever put it there does when it is done."""
        self._edit(path, _without_hold)

    def _edit(self, path: str, change: Callable[[Any], Any]) -> None:
        """Change metadata of an object, if it is there; again when others were faster."""

        def edited() -> bool:
            item = self._api.found(path)
            if item is not None:
                version = item["metadata"]["resourceVersion"]
                wanted = change(item["metadata"]) | {"resourceVersion": version}
                self._api.merge(path, {"metadata": wanted})
            return True

        eventually(f"{path} is edited", edited)

    def _all(self) -> Iterator[tuple[str, Any]]:
        for kind in CHILDREN:
            selector = f"{LABEL_INSTANCE}={self._log}"
            found = self._api.ask("GET", self._path(kind), labelSelector=selector)
            for item in found["items"]:
                yield self._path(kind, item["metadata"]["name"]), item
        log = self._api.found(self._path(LOG, self._log))
        if log is not None:
            yield self._path(LOG, self._log), log

    def _path(self, kind: Kind, *name: str) -> str:
        group = f"/apis/{kind.api_version}" if "/" in kind.api_version else paths.CORE
        return paths.of(group, self._namespace, kind.plural, *name)


def _with_marks(metadata: Any) -> dict[str, Any]:
    return {
        "labels": {LABEL: KEPT},
        "annotations": {NOTE: KEPT},
        "finalizers": [*_others(metadata), HOLD],
    }


def _without_hold(metadata: Any) -> dict[str, Any]:
    return {"finalizers": _others(metadata)}


def _others(metadata: Any) -> list[str]:
    return [each for each in metadata.get("finalizers") or [] if each != HOLD]


def _is_marked(metadata: Any) -> bool:
    label = (metadata.get("labels") or {}).get(LABEL)
    note = (metadata.get("annotations") or {}).get(NOTE)
    return label == note == KEPT and HOLD in (metadata.get("finalizers") or [])
