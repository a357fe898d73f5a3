"""A member that lost its disk does not come back as who it was: another one takes its place."""

from collections.abc import Callable

import pytest

from tests.cluster.loading import CLIENT, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.support import SHOWN


def ids(log: ManagedLog) -> dict[str, str]:
    """The voters' ids by their pods."""
    members = log.resource()["status"]["members"]
    return {
        item["pod"]: item["id"] for item in members if "pod" in item and item.get("role") == "voter"
    }


@pytest.mark.timeout(400, func_only=True)
@pytest.mark.parametrize("ordinal", [0, 2])
def test_pod_and_disk_of_a_member_are_lost_and_a_new_one_takes_its_place(
    cluster: Cluster,
    log: ManagedLog,
    ordinal: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Ordinal 0 is the one that founded the log."""
    lost = f"{LOG}-{ordinal}"
    before = ids(log)
    load = Load(cluster, log.namespace, LOG)

    log.kubectl("delete", "pvc", f"data-{lost}", "--wait=false")
    log.kubectl("delete", "pod", lost)
    log.wait("another member is there", lambda: ids(log).get(lost) not in (None, before[lost]))
    log.wait_until_ready(3)

    loaded = load.end()
    after = ids(log)
    record_property(SHOWN, f"pod and disk of {lost} lost: {loaded.told()}")
    assert [name for name in before if before[name] != after[name]] == [lost]
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
