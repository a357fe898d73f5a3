"""Whether somebody has changed what we set on an object, behind the resource's back.

A StatefulSet's template keeps the hash of what it was made from, so another image beside the same
hash would be rolled out as if the resource asked for it. What others add is theirs and stays, also
in the template: an annotation of `kubectl rollout restart`, an injected container.

Decides: what of a stored object is ours and not as we set it. Must not know: whether it was touched
since (apply.py), what is done about it (planner/objects.py).
Read next: apply.py, observe.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from replog_operator.kube.children.wanted import Object

IDENTITY: Final = frozenset({"apiVersion", "kind", "metadata"})
OF_METADATA: Final = frozenset({"labels", "annotations", "ownerReferences"})
NOT_COMPARED: Final = frozenset({"replicas", "volumeClaimTemplates", "resources"})
"""The planner's own; what can't change; quantities, which a server may write in other words."""


def is_edited(stored: Object, wanted: Object) -> bool:
    """Whether a field that we set has another value by now. Both were made from the same wishes."""
    content = {key: value for key, value in wanted.items() if key not in IDENTITY}
    metadata = {key: value for key, value in wanted["metadata"].items() if key in OF_METADATA}
    return not (_covers(stored, content) and _covers(stored["metadata"], metadata))


def _covers(stored: Any, wanted: Any) -> bool:
    if wanted in ({}, [], "", None):
        return True  # a server leaves out what is empty, and fills in defaults
    if isinstance(wanted, Mapping):
        return isinstance(stored, Mapping) and all(
            _covers(stored.get(key), value)
            for key, value in wanted.items()
            if key not in NOT_COMPARED
        )
    if isinstance(wanted, list):
        return isinstance(stored, list) and _covers_list(stored, wanted)
    return bool(stored == wanted)


def _covers_list(stored: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Lists whose items have names belong to several; others are one value."""
    if all(isinstance(item, Mapping) and "name" in item for item in wanted):
        there = {item.get("name"): item for item in stored}
        return all(_covers(there.get(item["name"]), item) for item in wanted)
    return len(stored) == len(wanted) and all(map(_covers, stored, wanted))
