"""An image that brings a feature level, and no way back from it, under load."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from replog_node.model.features import FEATURE_LEVEL
from tests.cluster.images import NEWER, OURS
from tests.cluster.loading import CLIENT, TRANSFER_S, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.records import Record, records
from tests.support import SHOWN

LEVEL = FEATURE_LEVEL + 1
ASKED = "SnapshotAsked"
"""The kind of record that only the newer image knows."""
DECODE = "import sys; from replog_node.frames.decode import controls, decode_entry; \
print(controls(decode_entry(bytes.fromhex(sys.argv[1]))))"


@pytest.fixture
def log(log: ManagedLog) -> ManagedLog:
    """Three members that are ready, and whose template is noted as good."""
    log.wait("this template is noted as good", lambda: log.condition("Updated") == "True")
    return log


@pytest.mark.timeout(500, func_only=True)
def test_the_level_rises_once_every_member_speaks_it_and_the_older_image_is_given_up(
    cluster: Cluster, log: ManagedLog, record_property: Callable[[str, object], None]
) -> None:
    members = Members(cluster, log.namespace)
    load = Load(cluster, log.namespace, LOG)

    log.merge(image=NEWER)
    log.wait("the level is raised", lambda: level(members) == LEVEL)
    log.wait_until_ready(3)
    task(log, "Snapshot")
    written = records(members, log, 0)
    assert [record.kind for record in written].count(ASKED) == 1
    assert_raised_after_the_roll(written, log)
    assert_the_older_image_refuses(log, next(r for r in written if r.kind == ASKED))

    log.merge(image=OURS, update={"timeout": "20s"})
    sentence = f"is at feature level {LEVEL} and this build speaks up to {FEATURE_LEVEL}"
    log.wait("the older one says why it ends", lambda: sentence in said_by(log, OURS))
    log.wait("it is given up", lambda: log.condition("Updated", "reason") == "BadVersion")
    log.wait("the newer is back", lambda: images(log) == {NEWER})
    log.wait_until_ready(3)

    loaded = load.end()
    record_property(SHOWN, f"up a level, and not down: gaps between appends {loaded.told()}")
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
    assert loaded.longest_s < TRANSFER_S, loaded.told()
    assert level(members) == LEVEL


def level(members: Members) -> int:
    """In force, as the leader knows it."""
    return int(members.status(members.leader())["feature_level"])


def task(log: ManagedLog, action: str) -> None:
    """Have the operator do this once, and wait until it is done."""
    name = action.lower()
    wanted = {
        "apiVersion": "replog.dev/v1alpha1",
        "kind": "ReplicatedLogTask",
        "metadata": {"name": name},
        "spec": {"log": LOG, "action": action},
    }
    log.kubectl("apply", "-f", "-", said=json.dumps(wanted))
    state = ("get", "rlogtask", name, "-o", "jsonpath={.status.state}")
    log.wait(f"{action} is done", lambda: log.kubectl(*state) == "Done")


def assert_raised_after_the_roll(written: list[Record], log: ManagedLog) -> None:
    """One record raised it, and was written when every pod ran the newer image."""
    (raised,) = [r for r in written if r.fields.get("change") == "feature-level"]
    assert raised.fields["configuration"]["feature_level"] == LEVEL
    for pod in log.pods().values():
        (container,) = pod["status"]["containerStatuses"]
        began = datetime.fromisoformat(container["state"]["running"]["startedAt"])
        assert image_of(pod) == NEWER
        assert began.timestamp() * 1000 < raised.time_ms


def assert_the_older_image_refuses(log: ManagedLog, record: Record) -> None:
    """The client's pod is of it."""
    with pytest.raises(OSError, match="is not known to this build: a newer one wrote it"):
        log.kubectl("exec", CLIENT, "--", "python", "-c", DECODE, record.frame)


def image_of(pod: Any) -> str:
    """What its one container runs."""
    return str(pod["spec"]["containers"][0]["image"])


def images(log: ManagedLog) -> set[str]:
    """Of all members."""
    return {image_of(pod) for pod in log.pods().values()}


def said_by(log: ManagedLog, image: str) -> str:
    """The logs of all members of this image."""
    names = [name for name, pod in log.pods().items() if image_of(pod) == image]
    return "".join(log.kubectl("logs", name) for name in names)
