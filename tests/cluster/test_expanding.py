"""Volumes grow under load whatever else is wrong; what is refused is told and can be taken back."""

import shutil
from typing import Any

import pytest

from tests.cluster.disks import NEEDED
from tests.cluster.gates import assert_told
from tests.cluster.loading import CLIENT, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator

MEMBERS = f"app.kubernetes.io/instance={LOG}"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
RIGID = {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "rigid"},
    "provisioner": "replog.test/directory", "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": False,
}  # fmt: skip
DISKS = {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disks"},
    "provisioner": "replog.test/directory", "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True, "parameters": {"medium": "disk"},
}  # fmt: skip
LEFT_BYTES = 64 << 20
"""Less than the soft limit of free space."""
FILL = f"""
import os
found = os.statvfs("/data")
with open("/data/ballast", "wb") as ballast:
    os.posix_fallocate(ballast.fileno(), 0, found.f_bavail * found.f_frsize - {LEFT_BYTES})
"""


def sizes(log: ManagedLog) -> list[tuple[str, str]]:
    """What each claim asks for, and what it has."""
    return [
        (item["spec"]["resources"]["requests"]["storage"], item["status"]["capacity"]["storage"])
        for item in log.objects("pvc", MEMBERS)
    ]


def wait_of(log: ManagedLog, code: str) -> dict[str, Any]:
    """The wait with this code; empty if there is none."""
    waits = log.resource()["status"].get("waits", ())
    return next((wait for wait in waits if wait["code"] == code), {})


@pytest.mark.timeout(400, func_only=True)
def test_volumes_grow_under_load_while_a_member_is_down(cluster: Cluster, log: ManagedLog) -> None:
    storage = log.resource()["spec"]["storage"]
    load = Load(cluster, log.namespace, LOG)
    cluster.kubectl("cordon", "node1")
    try:
        log.kubectl("delete", "pod", f"{LOG}-2")
        log.wait("a member is down", lambda: log.condition("Degraded") == "True")
        log.merge(storage=storage | {"size": "2Gi"})
        log.wait("all volumes have grown", lambda: sizes(log) == [("2Gi", "2Gi")] * 3)
        assert log.condition("Degraded") == "True", "nobody waited for the member"
    finally:
        cluster.kubectl("uncordon", "node1")
    log.wait_until_ready(3)
    assert load.end().acknowledged > 0


@pytest.mark.timeout(400, func_only=True)
def test_a_full_log_grows_while_a_member_is_down_and_takes_appends_again(
    cluster: Cluster, unmade: ManagedLog, acting: Operator
) -> None:
    """Each volume is a file system of its own, and full; the client tries again until it may."""
    lacking = [command for command in NEEDED if shutil.which(command) is None]
    if lacking:
        pytest.skip(f"there is no {', '.join(lacking)} here (Debian: xfsprogs)")
    log, disks = unmade, {"size": "1Gi", "className": "disks"}
    cluster.api.create(CLASSES, DISKS)
    try:
        log.apply(storage=disks)
        log.wait_until_ready(3)
        load = Load(cluster, log.namespace, LOG)
        for ordinal in range(3):
            log.kubectl("exec", f"{LOG}-{ordinal}", "--", "python", "-c", FILL)
        assert_told(log, acting, "DiskFull")
        cluster.kubectl("cordon", "node1")
        log.kubectl("delete", "pod", f"{LOG}-2")
        log.wait("a member is down", lambda: not log.pods()[f"{LOG}-2"]["spec"].get("nodeName"))
        log.merge(storage=disks | {"size": "2Gi"})
        log.wait("all volumes have grown", lambda: sizes(log) == [("2Gi", "2Gi")] * 3)
        log.wait("it takes appends again", lambda: log.condition("Available") == "True")
        assert not log.pods()[f"{LOG}-2"]["spec"].get("nodeName"), "nobody waited for the member"
        log.append(CLIENT, "one\n")
        loaded = load.end()
        cluster.kubectl("uncordon", "node1")
        log.wait_until_ready(3)
        log.wait("nobody's disk is full", lambda: not wait_of(log, "DiskFull"))
        values = log.read(CLIENT)
        assert [v for v in values if v != "one"] == list(map(str, range(loaded.acknowledged)))
        assert values.count("one") == 1
    finally:
        cluster.kubectl("uncordon", "node1")
        cluster.api.delete(f"{CLASSES}/disks")


@pytest.mark.timeout(400, func_only=True)
def test_growth_that_is_refused_says_why_and_can_be_taken_back(
    cluster: Cluster, unmade: ManagedLog, acting: Operator
) -> None:
    log, rigid = unmade, {"size": "2Gi", "className": "rigid"}
    cluster.api.create(CLASSES, RIGID)
    try:
        log.apply("one", storage=rigid)
        log.wait_until_ready(1)
        log.merge(storage=rigid | {"size": "3Gi"})
        assert_told(log, acting, "ExpansionRefused")
        assert "must support resize" in wait_of(log, "ExpansionRefused")["message"]
        log.append(CLIENT, "one\n")

        smaller = log.resource()["spec"]["storage"] | {"size": "2Gi"}
        log.merge(storage=smaller)
        log.wait("nothing is waited for", lambda: not wait_of(log, "ExpansionRefused"))
        log.wait_until_ready(1)
        assert (sizes(log), log.read(CLIENT)) == ([("2Gi", "2Gi")], ["one"])

        log.merge(storage=rigid | {"size": "3Gi"})
        with pytest.raises(OSError, match="volumes never shrink"):
            log.merge(storage=rigid | {"size": "1Gi"})
    finally:
        cluster.api.delete(f"{CLASSES}/rigid")
