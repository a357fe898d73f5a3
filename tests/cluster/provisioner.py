"""Volumes for claims: a directory of the node each, where a cloud would attach a disk.

Does what such a provisioner does, as far as one node can tell: waits for the first consumer, makes
a volume bound to its claim, carries out a larger request, and deletes what was released. Sizes are
numbers only, since a directory has no end of its own; in a class with the parameter `medium: disk`
each is a file system of that size (disks.py).

Decides: which volume a claim gets. Must not know: who claims it, or why.
Read next: disks.py, daemons.py, files/objects.yaml.
"""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tests.cluster import disks
from tests.cluster.api import Api

PROVISIONER = "replog.test/directory"
MADE_BY = "pv.kubernetes.io/provisioned-by"
CHOSEN_NODE = "volume.kubernetes.io/selected-node"
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
LOOK_S = 0.3


def volume_name(claim: Any) -> str:
    """The name of the claim's volume: another claim of the same name gets another."""
    return f"pvc-{claim['metadata']['uid']}"


def may_be_made(claim: Any, storage_class: Any) -> bool:
    """Whether a claim without a volume should get one now."""
    if claim["spec"].get("volumeName") or "deletionTimestamp" in claim["metadata"]:
        return False
    waits: bool = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
    return not waits or bool(claim["metadata"].get("annotations", {}).get(CHOSEN_NODE))


def wanted(claim: Any) -> str:
    """The size that is asked for."""
    return str(claim["spec"]["resources"]["requests"]["storage"])


def is_too_small(claim: Any) -> bool:
    """Whether the claim is bound, and asks for more than it has."""
    status = claim["status"]
    return bool(
        status.get("phase") == "Bound"
        and status.get("capacity", {}).get("storage") != wanted(claim)
        and claim["spec"].get("volumeName")
    )


def on_disks(storage_class: Any) -> bool:
    """Whether its volumes are file systems of their own, which can be full."""
    return bool((storage_class.get("parameters") or {}).get("medium") == "disk")


def is_released(volume: Any) -> bool:
    """Whether the volume is ours, and nobody's any more."""
    return bool(
        volume["status"].get("phase") == "Released"
        and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        and volume["metadata"].get("annotations", {}).get(MADE_BY) == PROVISIONER
    )


def volume(claim: Any, storage_class: Any, directory: Path) -> dict[str, Any]:
    """The volume of a claim, bound to it and to the one node."""
    meta, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim), "annotations": {MADE_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": wanted(claim)},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": spec["storageClassName"],
            "local": {"path": str(directory)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "nodeAffinity": {
                "required": {"nodeSelectorTerms": [{"matchExpressions": [ON_THE_NODE]}]}
            },
        },
    }


ON_THE_NODE = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"]}


class Provisioner:
    """Looks at all claims again and again. root: where the volumes' directories are."""

    def __init__(self, api: Api, root: Path) -> None:
        self._api = api
        self._root = root

    def look(self) -> None:
        """Do what is to be done now. Raises OSError; what was done till then counts."""
        classes = {
            each["metadata"]["name"]: each
            for each in self._api.items(CLASSES)
            if each["provisioner"] == PROVISIONER
        }
        volumes = self._api.items(VOLUMES)
        made = {each["metadata"]["name"] for each in volumes}
        for claim in self._api.items(CLAIMS):
            storage_class = classes.get(claim["spec"].get("storageClassName"))
            if storage_class is None:
                continue
            if volume_name(claim) not in made and may_be_made(claim, storage_class):
                self._make(claim, storage_class)
            if is_too_small(claim):
                self._grow(claim, storage_class)
        for each in volumes:
            if is_released(each):
                self._delete(each)

    def _make(self, claim: Any, storage_class: Any) -> None:
        directory = self._root / volume_name(claim)
        directory.mkdir(parents=True, exist_ok=True)
        if on_disks(storage_class):
            disks.attach(directory, disks.bytes_of(wanted(claim)))
        directory.chmod(0o777)
        self._api.create(VOLUMES, volume(claim, storage_class, directory))

    def _grow(self, claim: Any, storage_class: Any) -> None:
        if on_disks(storage_class):
            disks.resize(self._root / volume_name(claim), disks.bytes_of(wanted(claim)))
        capacity = {"capacity": {"storage": wanted(claim)}}
        meta = claim["metadata"]
        self._api.merge(f"{VOLUMES}/{claim['spec']['volumeName']}", {"spec": capacity})
        path = f"/api/v1/namespaces/{meta['namespace']}/persistentvolumeclaims/{meta['name']}"
        self._api.merge(f"{path}/status", {"status": {**capacity, "conditions": []}})

    def _delete(self, volume: Any) -> None:
        self._api.delete(f"{VOLUMES}/{volume['metadata']['name']}")
        directory = Path(volume["spec"]["local"]["path"])
        disks.detach(directory)
        shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Look until killed; what goes wrong is said, and tried again."""
    directory = Path(sys.argv[1])
    provisioner = Provisioner(Api(directory / "pki"), directory / "data" / "volumes")
    while True:
        try:
            provisioner.look()
        except OSError as problem:
            sys.stdout.write(f"{problem}\n")
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
