"""Gates whose reason lies with members: disks copied or restored, a slow link, a lease made anew.

As test_gates.py. Some pass by themselves: a change that goes on, an operator that takes a higher
epoch. Who changes nothing and leads cannot stay in a joint configuration without its majorities, so
that it is one is told in passing, or beside what holds it.
"""

import pytest

from replog_operator.kube.children.names import RETIRED
from tests.cluster import paths
from tests.cluster.cutting import slowed
from tests.cluster.gates import assert_passed, assert_told, assert_told_beside
from tests.cluster.loading import CLIENT
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator

LINE_BYTES = 100_000
LINES = 560
"""56 MB, which are less than from one snapshot to the next: they are copied record by record."""


class Disks:
    """The members' volumes, while no member uses them."""

    def __init__(self, cluster: Cluster, log: ManagedLog) -> None:
        self._cluster = cluster
        self._log = log

    def copy(self, source: str, target: str) -> None:
        """Have the target, a place, hold what the source does, and nothing else."""
        run = self._cluster.sandbox.run
        run("sh", "-ec", f"mkdir -p {target}; find {target} -mindepth 1 -delete")
        run("cp", "-a", f"{source}/.", target)

    def place(self, ordinal: int) -> str:
        """Where the volume of an ordinal lies."""
        claim = self._cluster.api.get(paths.claims(self._log.namespace, name_of(ordinal)))
        volume = self._cluster.api.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
        return str(volume["spec"]["local"]["path"])

    def aside(self, ordinal: int) -> str:
        """Where a copy of it is kept."""
        return f"{self._cluster.directory}/data/kept-{ordinal}"

    def empty(self, ordinal: int) -> None:
        """Lose it, and the pod."""
        self._log.kubectl("delete", "pvc", name_of(ordinal), "--wait=false")
        self._log.kubectl("delete", "pod", f"{LOG}-{ordinal}")


@pytest.fixture
def disks(cluster: Cluster, log: ManagedLog) -> Disks:
    """Of three members that are ready, with a record."""
    log.append(CLIENT, "one\n")
    return Disks(cluster, log)


def name_of(ordinal: int) -> str:
    """Of a claim."""
    return f"data-{LOG}-{ordinal}"


@pytest.mark.timeout(400, func_only=True)
def test_one_member_at_two_places_is_told_until_the_copy_is_emptied(
    log: ManagedLog, disks: Disks, acting: Operator
) -> None:
    log.merge(hibernate=True)
    log.wait("no member runs", lambda: not log.pods())
    disks.copy(disks.place(1), disks.place(2))
    log.merge(hibernate=None)
    assert_told(log, acting, "TwinMembers")

    disks.empty(2)
    log.wait_until_ready(3)
    assert log.read(CLIENT) == ["one"]


@pytest.mark.timeout(400, func_only=True)
def test_a_removed_member_of_disks_that_were_restored_is_told_until_it_is_emptied(
    log: ManagedLog, disks: Disks, acting: Operator
) -> None:
    """Two disks are of before it was removed; its own knows that it was."""
    log.merge(hibernate=True)
    log.wait("no member runs", lambda: not log.pods())
    for ordinal in (0, 1):
        disks.copy(disks.place(ordinal), disks.aside(ordinal))
    log.merge(hibernate=None)
    log.wait_until_ready(3)
    log.scale(1)
    log.wait_until_ready(1)
    log.wait("the others are gone", lambda: len(log.pods()) == 1)

    acting.kill()
    log.kubectl("scale", "statefulset", LOG, "--replicas=0")
    log.wait("no member runs", lambda: not log.pods())
    for ordinal in (0, 1):
        disks.copy(disks.aside(ordinal), disks.place(ordinal))
    log.kubectl("annotate", "pvc", name_of(1), name_of(2), f"{RETIRED}-")
    log.scale(3)
    acting.start()
    assert_told(log, acting, "Removed")

    disks.empty(2)
    log.wait_until_ready(3)
    assert log.read(CLIENT) == ["one"]


@pytest.mark.timeout(400, func_only=True)
def test_new_members_that_copy_slowly_are_told_and_so_is_who_cannot_lead_yet(
    cluster: Cluster, unmade: ManagedLog, acting: Operator
) -> None:
    unmade.apply("one")
    unmade.wait_until_ready(1)
    unmade.append(CLIENT, f"{'x' * LINE_BYTES}\n" * LINES)
    with slowed(cluster, unmade.namespace, f"{LOG}-0"):
        unmade.scale(3)
        assert_told(unmade, acting, "LearnerBehind")
        unmade.ask("lead", action="TransferLeader", to=f"{LOG}-1")
        assert_told_beside(unmade, acting, "ChangeInProgress")
    unmade.wait_until_ready(3)
    unmade.kubectl("wait", "rlogtask/lead", "--for=condition=Finished", "--timeout=60s")
    unmade.wait("it leads", lambda: unmade.resource()["status"]["leader"] == f"{LOG}-1")


@pytest.mark.timeout(300, func_only=True)
def test_an_operator_whose_lease_was_made_anew_says_so_and_takes_a_higher_epoch(
    unmade: ManagedLog, acting: Operator
) -> None:
    unmade.apply("one")
    unmade.wait_until_ready(1)
    acting.kill()
    unmade.kubectl("delete", "lease", "replog-operator")
    acting.start()
    assert_passed(unmade, acting, "NewerOperator")
    unmade.scale(3)
    unmade.wait_until_ready(3)
