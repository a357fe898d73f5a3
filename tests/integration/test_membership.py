"""Members come and go under load: 3 → 5 → 2 → 3 → 1 → 3, the leader among those that leave."""

import uuid
from collections import Counter
from pathlib import Path

import pytest

from replog_node.frames.decode import configurations
from replog_node.model.configuration import Configuration
from replog_node.model.positions import MemberId, Offset
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import open_store
from tests.integration.load import OCTETS, Load, check_everything
from tests.support.processes import Cluster, Node, Refused, ask, cluster, eventually

NODES = 8
"""Those of all sets, each with a directory of its own: nobody comes back."""

JOINT = ("enter-joint", "leave-joint")


class Journey:
    """A cluster on its way through several memberships, with the load that lasts all along."""

    def __init__(self, nodes: Cluster, load: Load) -> None:
        self._nodes = nodes
        self._load = load
        self.operations: list[str] = []
        self.leaders_that_left = 0

    def change(self, wanted: list[Node]) -> None:
        """Change to these members, and see that those that left are parked."""
        before = self._nodes.leader().status()
        addresses = {member["address"] for member in before["members"]}
        gone = [node for node in self._nodes.nodes if node.peer in addresses and node not in wanted]
        led = self._nodes.leader()
        for node in wanted:
            if not node.alive:
                node.start()
        self._load.endpoints = [n.client for n in wanted if n.peer in addresses]
        self.operations.append(self._nodes.retarget(wanted))
        self._load.endpoints = [node.client for node in wanted]
        for node in gone:
            _is_parked(node)
        self.leaders_that_left += led in gone
        self._load.more(20)

    def forget(self, nodes: list[Node]) -> None:
        """End those that have left, once they have been looked at."""
        for node in nodes:
            node.kill()


def _is_parked(node: Node) -> None:
    """A member that was removed says so, and serves no client."""
    eventually("it knows that it was removed", lambda: node.status()["state"] == "removed")
    for method, path, body in (
        ("POST", "/v1/records", b"no"),
        ("GET", "/v1/records?from=earliest", None),
        ("GET", "/v1/records?from=earliest&consistency=local", None),
        ("GET", "/v1/log", None),
        ("POST", "/v1/producers", {"request": "no"}),
    ):
        headers = OCTETS if isinstance(body, bytes) else {}
        with pytest.raises(Refused) as refused:
            ask(method, node.client, path, body, headers=headers)
        assert (refused.value.status, refused.value.code) == (410, "removed"), path
    with pytest.raises(Refused) as refused:
        ask("GET", node.client, "/readyz")
    assert (refused.value.status, refused.value.code) == (503, "not_ready")
    assert refused.value.problem["wait"] == "Removed"
    assert ask("GET", node.client, "/livez") == {"ok": True}


def _refuses_to_name_again(nodes: Cluster, removed: Node) -> None:
    status = nodes.leader().status()
    members = [{"id": m["id"], "address": m["address"]} for m in status["members"]]
    members.append({"id": removed.member(), "address": removed.peer})
    body = {
        "members": members, "operation": str(uuid.uuid4()),
        "planned_from": status["configuration_offset"],
    }  # fmt: skip
    with pytest.raises(Refused) as refused:
        ask("POST", nodes.leader().peer, "/v1/cluster:target", body)
    assert (refused.value.status, refused.value.code) == (422, "invalid_target")
    assert nodes.leader().status()["configuration_offset"] == status["configuration_offset"]


def _changes(directory: Path) -> list[tuple[str, str, Configuration]]:
    """(change, operation, configuration) of all configuration records in a stopped member's log."""
    store = open_store(
        OsDisk(directory), StoreLimits(), new_member_id=lambda: MemberId(""), random64=lambda: 1
    )
    found: list[tuple[str, str, Configuration]] = []
    at = Offset(0)
    try:
        while entries := store.read(at, 1 << 20):
            for entry in entries:
                found += [
                    (c.change, c.operation, c.configuration) for _, c in configurations(entry)
                ]
            at = Offset(entries[-1].last + 1)
    finally:
        store.close()
    return found


def _check_joint_records(node: Node, operations: list[str], sizes: list[int]) -> None:
    """Each change is one enter-joint and one leave-joint, and leads to its number of voters."""
    changes = _changes(node.directory)
    counted = Counter((operation, change) for change, operation, _ in changes if change in JOINT)
    assert counted == {(operation, change): 1 for operation in operations for change in JOINT}
    joint = [(change, operation) for change, operation, _ in changes if change in JOINT]
    assert joint == [(change, operation) for operation in operations for change in JOINT]
    voters = [len(c.voters) for change, _, c in changes if change == "leave-joint"]
    assert voters == sizes


@pytest.mark.timeout(240)
def test_members_come_and_go_under_load_each_change_with_one_joint_phase(tmp_path: Path) -> None:
    with cluster(tmp_path, NODES) as eight:
        nodes = eight.nodes
        operations = [eight.found(3)]
        with Load(eight.endpoints[:3]) as load:
            load.more(20)
            journey = Journey(eight, load)
            journey.change(nodes[:5])
            led = eight.leader()
            two = [node for node in nodes[:5] if node is not led][-2:]
            journey.change(two)
            removed = [node for node in nodes[:5] if node not in two]
            _refuses_to_name_again(eight, removed[0])
            removed[0].kill()
            removed[0].start()
            _is_parked(removed[0])  # for good, also after a restart
            journey.forget(removed)
            three = [*two, nodes[5]]
            journey.change(three)
            led = eight.leader()
            one = next(node for node in three if node is not led)
            journey.change([one])
            removed = [node for node in three if node is not one]
            _refuses_to_name_again(eight, removed[0])
            journey.forget(removed)
            last = [one, *nodes[6:]]
            journey.change(last)
        eight.settled(last)
        check_everything(load, eight)
        assert eight.records(nodes[6]) == eight.records(nodes[7]) == eight.records(one)
        assert journey.leaders_that_left == 2
        for node in last:
            node.kill()
        for node in last:
            _check_joint_records(node, [*operations, *journey.operations], [3, 5, 2, 3, 1, 3])
