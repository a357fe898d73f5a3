"""Whether somebody has changed what we set on an object, behind the resource's back.

A StatefulSet's template keeps the hash of what it was made from, so another image beside the same
hash would be rolled out as if the resource asked for it. What others add is theirs and stays, also
in the template: an annotation of `kubectl rollout restart`, an injected container.

But what selects pods or lets somebody in is one value: there an addition changes what it means.

Decides: what of a stored object is ours and not as we set it. Must not know: whether it was touched
since (apply.py), what is done about it (planner/objects.py).
Read next: apply.py, observe.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from replog_operator.kube.children.wanted import Object
from replog_operator.quantities import amount_of

IDENTITY: Final = frozenset({"apiVersion", "kind", "metadata"})
OF_METADATA: Final = frozenset({"labels", "annotations", "ownerReferences"})
PLANNED: Final = frozenset({"replicas", "volumeClaimTemplates"})
"""Of a StatefulSet's spec: the planner's own, and what can't change."""
WHOLE: Final = frozenset({"selector", "nodeSelector", "labelSelector", "podSelector"})
"""Mappings that mean something else as soon as anything is added to them."""
AMOUNTS: Final = frozenset({"requests", "limits"})
"""Mappings of quantities, which a server may write in other words."""


def is_edited(stored: Object, wanted: Object) -> bool:
    """Whether a field that we set has another value by now. Both were made from the same wishes."""
    content = {key: value for key, value in wanted.items() if key not in IDENTITY}
    if wanted["kind"] == "StatefulSet":
        content["spec"] = {key: content["spec"][key] for key in content["spec"].keys() - PLANNED}
    metadata = {key: value for key, value in wanted["metadata"].items() if key in OF_METADATA}
    return not (_covers(stored, content) and _covers(stored["metadata"], metadata))


def _covers(stored: Any, wanted: Any) -> bool:
    if wanted in ({}, [], "", None):
        return True  # a server leaves out what is empty, and fills in defaults
    if isinstance(wanted, Mapping):
        return isinstance(stored, Mapping) and all(
            _field_covers(key, stored.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(stored, list) and _covers_list(stored, wanted)
    return bool(stored == wanted)


def _field_covers(key: str, stored: Any, wanted: Any) -> bool:
    if key in WHOLE:
        return bool(stored == wanted)
    if key in AMOUNTS and isinstance(wanted, Mapping):
        there = stored if isinstance(stored, Mapping) else {}
        return all(
            name in there and amount_of(str(there[name])) == amount_of(str(amount))
            for name, amount in wanted.items()
        )
    return _covers(stored, wanted)


def _covers_list(stored: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Lists whose items have names belong to several; others are one value."""
    if all(isinstance(item, Mapping) and "name" in item for item in wanted):
        there = {item.get("name"): item for item in stored}
        return all(_covers(there.get(item["name"]), item) for item in wanted)
    return list(stored) == list(wanted)  # an empty selector is not the same as none
