"""Tasks tell how far they are, do what they ask for once, and go when their time is over."""

import json
from typing import Any

import pytest

from tests.cluster.loading import CLIENT
from tests.cluster.managed import LOG, ManagedLog


def ask(log: ManagedLog, name: str, **spec: Any) -> None:
    """Make a task."""
    found = {
        "apiVersion": "replog.dev/v1alpha1", "kind": "ReplicatedLogTask",
        "metadata": {"name": name}, "spec": {"log": LOG, **spec},
    }  # fmt: skip
    log.kubectl("apply", "-f", "-", said=json.dumps(found))


def status(log: ManagedLog, name: str) -> Any:
    """What a task says of itself."""
    return json.loads(log.kubectl("get", "rlogtask", name, "-o", "json")).get("status", {})


@pytest.mark.timeout(300, func_only=True)
def test_a_snapshot_and_another_leader_are_had_once_and_the_tasks_go(log: ManagedLog) -> None:
    log.append(CLIENT, "one\n")
    ask(log, "now", action="Snapshot")
    log.kubectl("wait", "rlogtask/now", "--for=condition=Finished", "--timeout=60s")
    done = status(log, "now")
    assert (done["state"], done["conditions"][0]["reason"]) == ("Done", "Done")
    assert done["startedAt"] <= done["finishedAt"] and "snapshot" in done["message"]

    leader = log.resource()["status"]["leader"]
    to = next(name for name in sorted(log.pods()) if name != leader)
    ask(log, "lead", action="TransferLeader", to=to, ttlSecondsAfterFinished=1)
    log.wait("it leads", lambda: log.resource()["status"]["leader"] == to)
    log.wait("the task goes", lambda: "lead" not in log.kubectl("get", "rlogtask", "-o", "name"))

    ask(log, "nobody", action="TransferLeader", to="orders-7")
    log.kubectl("wait", "rlogtask/nobody", "--for=condition=Finished", "--timeout=60s")
    failed = status(log, "nobody")
    assert (failed["state"], "is no member" in failed["message"]) == ("Failed", True)
    assert "now" in log.kubectl("get", "rlogtask", "-o", "name"), "a week is long"
