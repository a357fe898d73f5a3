"""A claim of one ordinal, as the operator makes it before the StatefulSet would.

The StatefulSet's claim template can't change, so claims of a later size are made here.

Decides: that a claim has no owner unless the resource says that data goes with it.
Must not know: when one is made or deleted.
Read next: stateful_set.py.
"""

from replog_operator.kube.children.names import claim, labels
from replog_operator.kube.children.wanted import Object, Wanted, owner


def data_claim(wanted: Wanted, ordinal: int, *, owned: bool = False) -> Object:
    """Build the claim of an ordinal. owned: retention `Delete` is in force."""
    metadata: Object = {
        "name": claim(wanted.name, ordinal),
        "namespace": wanted.namespace,
        "labels": labels(wanted.name),
    }
    if owned:
        metadata["ownerReferences"] = [claim_owner(wanted)]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": claim_spec(wanted.claim_size, wanted.storage_class),
    }


def claim_owner(wanted: Wanted) -> Object:
    """The reference by which a claim goes with the resource. It has no controller: data is kept."""
    return {name: value for name, value in owner(wanted).items() if name != "controller"}


def claim_spec(size: str, storage_class: str) -> Object:
    """What is asked of the storage."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": size}},
    }
