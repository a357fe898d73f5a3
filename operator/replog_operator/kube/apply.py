"""Whether an object must be applied again: it is wanted otherwise, or somebody changed it.

The hash of what is wanted stands on the object, so that a new process knows what the last one
applied. What it looked like after our apply is remembered: as long as it looks like that nobody has
touched it. If somebody has, or after a start, its fields are compared with what we want.

Decides: what counts as a change: a field that we set. Status does not, nor what others add.
Must not know: how it is applied (writing.py).
Read next: writing.py.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.edited import is_edited

APPLIED_HASH: Final = "replog.dev/applied-hash"
"""On children: of what was applied last."""
REMEMBERED_MAX: Final = 50_000
"""Objects; past it all is forgotten, and each is applied once more."""


def stamped(wanted: Object) -> Object:
    """The same with its hash on it."""
    metadata = wanted["metadata"]
    notes = {**metadata.get("annotations", {}), APPLIED_HASH: digest(wanted)}
    return {**wanted, "metadata": {**metadata, "annotations": notes}}


def digest(found: Any) -> str:
    """A short hash of JSON, whatever the order of its fields."""
    text = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


class Applied:
    """What objects looked like after they were applied, by uid."""

    def __init__(self) -> None:
        self._looks: dict[str, str] = {}

    def must_apply(self, wanted: Object, stored: Object | None) -> bool:
        """Whether to apply it. stored: as this pass read it; None: it is not there."""
        if stored is None:
            return True
        metadata: Mapping[str, Any] = stored["metadata"]
        if (metadata.get("annotations") or {}).get(APPLIED_HASH) != digest(wanted):
            return True
        return not self.untouched(stored) and is_edited(stored, wanted)

    def untouched(self, stored: Object) -> bool:
        """Whether nobody has changed it since we applied it in this process, ourselves included."""
        return self._looks.get(stored["metadata"]["uid"]) == _looks(stored["metadata"])

    def note(self, stored: Object) -> None:
        """It was applied, and this is what the server answered."""
        if len(self._looks) >= REMEMBERED_MAX:
            self._looks.clear()
        self._looks[stored["metadata"]["uid"]] = _looks(stored["metadata"])


def _looks(metadata: Mapping[str, Any]) -> str:
    moved = metadata.get("generation", metadata.get("resourceVersion"))
    return digest([moved, metadata.get("labels", {}), metadata.get("annotations", {})])
