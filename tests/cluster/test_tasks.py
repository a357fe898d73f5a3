"""Tasks tell how far they are, do what they ask for once, and go when their time is over."""

import json
from typing import Any

import pytest

from tests.cluster.loading import CLIENT
from tests.cluster.managed import LOG, ManagedLog


def status(log: ManagedLog, name: str) -> Any:
    """What a task says of itself."""
    return json.loads(log.kubectl("get", "rlogtask", name, "-o", "json")).get("status", {})


@pytest.mark.timeout(300, func_only=True)
def test_a_snapshot_and_another_leader_are_had_once_and_the_tasks_go(log: ManagedLog) -> None:
    log.append(CLIENT, "one\n")
    log.ask("now", action="Snapshot")
    log.kubectl("wait", "rlogtask/now", "--for=condition=Finished", "--timeout=60s")
    done = status(log, "now")
    assert (done["state"], done["conditions"][0]["reason"]) == ("Done", "Done")
    assert done["startedAt"] <= done["finishedAt"] and "snapshot" in done["message"]

    leader = log.resource()["status"]["leader"]
    to = next(name for name in sorted(log.pods()) if name != leader)
    log.ask("lead", action="TransferLeader", to=to, ttlSecondsAfterFinished=1)
    log.wait("it leads", lambda: log.resource()["status"]["leader"] == to)
    log.wait("the task goes", lambda: "lead" not in log.kubectl("get", "rlogtask", "-o", "name"))

    log.ask("nobody", action="TransferLeader", to="orders-7")
    log.kubectl("wait", "rlogtask/nobody", "--for=condition=Finished", "--timeout=60s")
    failed = status(log, "nobody")
    assert (failed["state"], "is no member" in failed["message"]) == ("Failed", True)
    assert "now" in log.kubectl("get", "rlogtask", "-o", "name"), "a week is long"


@pytest.mark.timeout(400, func_only=True)
def test_what_is_asked_of_a_log_that_is_not_there_fails_and_goes(unmade: ManagedLog) -> None:
    unmade.apply("one", suspend=True)
    unmade.ask("typo", action="Snapshot", log="order", ttlSecondsAfterFinished=0)
    unmade.ask("asked", action="Snapshot")
    unmade.wait("it waits", lambda: status(unmade, "asked").get("blockedOn") == "NoLeader")

    unmade.kubectl("delete", "rlog", LOG)
    for name, missing in (("typo", "order"), ("asked", LOG)):
        told = f"no ReplicatedLog {missing} in"
        unmade.wait("it says so", lambda n=name, t=told: t in status(unmade, n).get("message", ""))
        assert status(unmade, name)["state"] == "Pending", "its log may be made together with it"
    unmade.kubectl("wait", "rlogtask/asked", "--for=condition=Finished", "--timeout=200s")
    assert status(unmade, "asked")["state"] == "Failed"
    unmade.wait(
        "a task goes", lambda: "typo" not in unmade.kubectl("get", "rlogtask", "-o", "name")
    )
