"""A member that lost its disk does not come back as who it was: another one takes its place."""

import pytest

from tests.cluster.loading import CLIENT, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster


def ids(log: ManagedLog) -> dict[str, str]:
    """The voters' ids by their pods."""
    members = log.resource()["status"]["members"]
    return {
        item["pod"]: item["id"] for item in members if "pod" in item and item.get("role") == "voter"
    }


@pytest.mark.timeout(400, func_only=True)
def test_pod_and_disk_of_the_founder_are_lost_and_a_new_member_takes_its_place(
    cluster: Cluster, log: ManagedLog
) -> None:
    before = ids(log)
    load = Load(cluster, log.namespace, LOG)

    log.kubectl("delete", "pvc", f"data-{LOG}-0", "--wait=false")
    log.kubectl("delete", "pod", f"{LOG}-0")
    log.wait(
        "another member is there",
        lambda: ids(log).get(f"{LOG}-0") not in (None, before[f"{LOG}-0"]),
    )
    log.wait_until_ready(3)

    loaded = load.end()
    after = ids(log)
    assert {name for name in before if before[name] == after[name]} == {f"{LOG}-1", f"{LOG}-2"}
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
