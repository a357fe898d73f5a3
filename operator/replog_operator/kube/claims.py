"""What a claim says of the data behind it: whose it is, how large, whether the resource owns it.

Decides: which fields tell that. Must not know: what is done about it.
Read next: pods.py, observe.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from replog_operator.kube.children.names import CLUSTER_ID, MEMBER_ID, RETIRED, claim_ordinal

_FAILED = frozenset({"ControllerResizeFailed", "NodeResizeFailed"})
"""Values of status.allocatedResourceStatuses after which only another size helps."""


class ClaimFacts(NamedTuple):
    """A claim in short. ordinal: None for a claim that is no ordinal's of this log.

    cluster_id, member_id: "" while it bears none. size: that it asks for; capacity: that it has,
    "" before it is bound. owned: the resource is among its owners. resize: why it does not grow; ""
    unless that was refused.
    """

    name: str
    uid: str
    resource_version: str
    ordinal: int | None
    cluster_id: str
    member_id: str
    retired: bool
    terminating: bool
    size: str
    capacity: str
    owned: bool
    resize: str


def claim_facts(log: str, uid: str, claim: Mapping[str, Any]) -> ClaimFacts:
    """Read a claim's object. uid: of the resource."""
    metadata, spec, status = claim["metadata"], claim["spec"], claim.get("status", {})
    notes, owners = metadata.get("annotations") or {}, metadata.get("ownerReferences") or ()
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    return ClaimFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        ordinal=claim_ordinal(log, metadata["name"]),
        cluster_id=notes.get(CLUSTER_ID, ""),
        member_id=notes.get(MEMBER_ID, ""),
        retired=RETIRED in notes,
        terminating="deletionTimestamp" in metadata,
        size=spec["resources"]["requests"]["storage"],
        capacity=(status.get("capacity") or {}).get("storage", ""),
        owned=any(owner["uid"] == uid for owner in owners),
        resize=_refusal(status, conditions),
    )


def _refusal(status: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> str:
    said: Sequence[str] = [
        found.get("message", "")
        for kind, found in conditions.items()
        if kind in ("ControllerResizeError", "NodeResizeError")
    ]
    state = (status.get("allocatedResourceStatuses") or {}).get("storage", "")
    if state in _FAILED:
        said = [*said, state]
    return "; ".join(part for part in said if part)
