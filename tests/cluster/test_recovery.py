"""A log whose majority is lost goes on with one member, as a person decides it; no other is served.

The majority runs on all the while, cut off from the survivor and from the operator, and takes
appends; then it comes back, and is made anew over the same disks. The operator dies at each write.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from replog_operator.failpoints import RECOVERY_WRITES
from replog_operator.kube.children.names import CLIENT_PORT
from tests.cluster import paths
from tests.cluster.cutting import cut_off_together
from tests.cluster.dying import Place
from tests.cluster.loading import CLIENT, client_pod
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.support.processes import Refused, ask, eventually

OCTETS = {"Content-Type": "application/octet-stream"}
SURVIVOR = 2
GONE = (0, 1)
HEARS_S = 30.0
"""For a member that can be reached again to hear of the new lineage."""


class Clients:
    """Asks members one by one, each at its own address."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def status(self, ordinal: int) -> Any:
        """What it says of itself. Raises OSError, Refused."""
        return ask("GET", self._at(ordinal), "/v1/cluster")

    def append(self, ordinal: int, record: bytes) -> None:
        """Have it take one record. Raises OSError, Refused."""
        ask("POST", self._at(ordinal), "/v1/records", record, headers=OCTETS)

    def is_fenced(self, ordinal: int) -> bool:
        """Whether it says so; False for one that says nothing."""
        try:
            return bool(self.status(ordinal)["state"] == "fenced")
        except (OSError, Refused):
            return False

    def _at(self, ordinal: int) -> str:
        pod = self._cluster.api.get(paths.pods(self._namespace, f"{LOG}-{ordinal}"))
        if "podIP" not in pod["status"]:
            raise OSError(f"{LOG}-{ordinal} has no address yet")
        return f"{pod['status']['podIP']}:{CLIENT_PORT}"


def ended(log: ManagedLog, name: str) -> Any:
    """The status of a task, once it has ended."""
    log.kubectl("wait", f"rlogtask/{name}", "--for=condition=Finished", "--timeout=90s")
    return json.loads(log.kubectl("get", "rlogtask", name, "-o", "json"))["status"]


def members(log: ManagedLog) -> dict[int, str]:
    """The voters' ids by ordinal."""
    found = log.resource()["status"]["members"]
    return {int(each["pod"].rpartition("-")[2]): each["id"] for each in found if "pod" in each}


def leads(clients: Clients) -> int | None:
    """The one of those that are cut off that leads; None if none does yet."""
    return next((at for at in GONE if clients.status(at)["role"] == "leader"), None)


def begin(place: Place) -> dict[int, str]:
    """Three members and two records; the members' ids."""
    place.log.apply("three")
    with place.operator():
        place.log.wait_until_ready(3)
        place.log.append(CLIENT, "one\ntwo\n")
        return members(place.log)


def look_and_take_back(place: Place) -> None:
    """A survey, which is taken back before it has ended; operators die at each write of it."""
    place.log.ask("first", action="SurveyQuorum")
    place.dies("before-fence")
    place.dies("after-fence")
    place.log.ask("back", action="CancelSurvey", survey="first")
    place.dies("before-unfence")
    place.dies("after-unfence")
    assert "taken back" in ended(place.log, "first")["message"]
    place.log.kubectl("delete", "rlogtask", "back")  # it would wait for those that are away


def recover(place: Place, ids: dict[int, str]) -> None:
    """A survey, and a recovery as it says; operators die on the way."""
    log, best = place.log, ids[SURVIVOR]
    stopped = sorted(ids[at] for at in GONE)
    log.ask("second", action="SurveyQuorum")
    with place.operator():
        found = ended(log, "second")
        assert found["state"] == "Done", found
        assert (found["survey"]["best"], found["survey"]["lineage"]) == (best, 1)
        assert sorted(each["id"] for each in found["survey"]["missing"]) == stopped
        decision = {"survey": "second", "survivor": best, "stopped": stopped[:1]}
        log.ask("forgetful", action="RecoverQuorum", recovery=decision)
        failed = ended(log, "forgetful")
        assert failed["state"] == "Failed" and f"not named: {stopped[1]}" in failed["message"]
        assert config(log)["lineage"] == "1"
    log.ask("go-on", action="RecoverQuorum", recovery={**decision, "stopped": stopped})
    place.dies("before-force-members")
    assert (config(log)["lineage"], config(log)["survivor"]) == ("2", best)
    place.dies("after-force-members")
    with place.operator():
        done = ended(log, "go-on")
        assert done["state"] == "Done" and f"{best} leads in lineage 2" in done["message"], done


def config(log: ManagedLog) -> dict[str, str]:
    """What pods read."""
    found: dict[str, str] = json.loads(log.kubectl("get", "cm", LOG, "-o", "json"))["data"]
    return found


def refused(clients: Clients, ordinal: int) -> str:
    """The code with which a member refuses a record."""
    with pytest.raises(Refused) as refusal:
        clients.append(ordinal, b"never")
    return refusal.value.code


def give_up_disks(log: ManagedLog) -> None:
    """Of those that were left out."""
    for at in GONE:
        claim = json.loads(log.kubectl("get", "pvc", f"data-{LOG}-{at}", "-o", "json"))["metadata"]
        assert "replog.dev/retired" not in claim["annotations"], "nobody gave it up yet"
        named = {"name": claim["name"], "uid": claim["uid"]}
        log.ask(f"give-up-{at}", action="AcknowledgeUnknownData", claim=named)


@pytest.mark.timeout(500, func_only=True)
def test_the_member_of_ordinal_2_goes_on_and_nothing_of_the_others_is_served(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> None:
    place, clients = Place(cluster, namespace, tmp_path), Clients(cluster, namespace)
    log, gone = place.log, [f"{LOG}-{at}" for at in GONE]
    with client_pod(cluster, namespace):
        ids = begin(place)
        with cut_off_together(cluster, namespace, gone):
            eventually(
                "the survivor leads no more",
                lambda: clients.status(SURVIVOR)["role"] != "leader", HEARS_S,
            )  # fmt: skip
            eventually("one of the others leads", lambda: leads(clients) is not None, HEARS_S)
            clients.append(leads(clients) or 0, b"lost")
            look_and_take_back(place)
            recover(place, ids)
            clients.append(SURVIVOR, b"three")

        for at in GONE:
            eventually(f"{LOG}-{at} hears of it", partial(clients.is_fenced, at), HEARS_S)
            assert refused(clients, at) == "fenced"
        with place.operator():
            log.kubectl("delete", "pod", *gone)
            for at in GONE:
                log.wait(f"{LOG}-{at} comes back", partial(clients.is_fenced, at))
                assert refused(clients, at) == "fenced"
            log.wait("it is told", lambda: "Fenced" in waits(log))
            assert log.read(CLIENT) == ["one", "two", "three"]

            give_up_disks(log)
            log.wait_until_ready(3)
            assert log.read(CLIENT) == ["one", "two", "three"]
            after = members(log)
        assert after[SURVIVOR] == ids[SURVIVOR]
        assert not {after[at] for at in GONE} & set(ids.values())


def waits(log: ManagedLog) -> list[str]:
    """What the operator waits for."""
    return [each["code"] for each in log.resource()["status"].get("waits", ())]


def test_each_write_of_a_recovery_is_one_at_which_an_operator_dies() -> None:
    text = Path(__file__).read_text()
    for write in RECOVERY_WRITES:
        for when in ("before", "after"):
            assert f'dies("{when}-{write}")' in text
