"""What a StatefulSet says: how many pods there should be, and which revision they should have.

Decides: which fields tell that. `currentRevision` is not among them: under `OnDelete` it is not
moved on when all pods are updated (kubernetes#73492), so pods are compared with `updateRevision`.
Must not know: what is done about it.
Read next: pods.py, observe.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from replog_operator.kube.children.names import CONTAINER, DATA_VOLUME


class SetFacts(NamedTuple):
    """A StatefulSet in short.

    revision: that pods made now get; "" while the controller has not seen the newest template.
    image: of that template. template_size: of its claim template, which can't change. owned: its
    controller is the resource of that uid, or it has none (and may be adopted).
    """

    name: str
    uid: str
    resource_version: str
    generation: int
    replicas: int
    revision: str
    image: str
    template_size: str
    terminating: bool
    owned: bool


def set_facts(uid: str, found: Mapping[str, Any]) -> SetFacts:
    """Read a StatefulSet's object. uid: of the resource."""
    metadata, spec, status = found["metadata"], found["spec"], found.get("status", {})
    seen = status.get("observedGeneration", 0) >= metadata["generation"]
    return SetFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        generation=metadata["generation"],
        replicas=spec.get("replicas", 1),
        revision=status.get("updateRevision", "") if seen else "",
        image=_image(spec["template"]["spec"]["containers"]),
        template_size=_size(spec.get("volumeClaimTemplates") or ()),
        terminating="deletionTimestamp" in metadata,
        owned=all(
            owner["uid"] == uid
            for owner in metadata.get("ownerReferences") or ()
            if owner.get("controller")
        ),
    )


def _image(containers: Sequence[Mapping[str, Any]]) -> str:
    return next((found["image"] for found in containers if found["name"] == CONTAINER), "")


def _size(templates: Sequence[Mapping[str, Any]]) -> str:
    sizes = [
        found["spec"]["resources"]["requests"]["storage"]
        for found in templates
        if found["metadata"]["name"] == DATA_VOLUME
    ]
    return sizes[0] if sizes else ""
