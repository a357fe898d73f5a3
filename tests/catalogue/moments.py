"""Steps that many of these stories share: members with a long log, a cluster that is led.

Decides: nothing about the bugs. Must not know: which story it serves.
Read next: hands.py (more of them), ../unit/driver/rig.py, ../unit/raft/cluster.py.
"""

from collections.abc import Callable
from typing import Final

from replog.wire.schemas import TrimRequest
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import Envelope
from tests.unit.driver.rig import Node as Member
from tests.unit.driver.rig import Rig, batch
from tests.unit.raft.cluster import Cluster, Node

NOTHING_IN_MEMORY: Final = CoreLimits(cache_bytes=1)


def at(term: int, offset: int) -> Position:
    """Where an entry ends."""
    return Position(Term(term), Offset(offset))


def led(names: str) -> tuple[Cluster, Node]:
    """Cores, without what is around them, that a leads in term 2; the log ends at 2."""
    cluster = Cluster(names)
    a = cluster.elect("a")
    cluster.run(2)
    return cluster, a


def held_back(cluster: Cluster, what: Callable[[Envelope], bool]) -> list[Envelope]:
    """From now on these messages don't arrive, and are collected here; see let_through."""
    late: list[Envelope] = []

    def hold(envelope: Envelope) -> bool:
        if what(envelope):
            late.append(envelope)
        return what(envelope)

    cluster.doubtful = hold
    return late


def let_through(cluster: Cluster) -> None:
    """From now on all messages arrive."""
    cluster.doubtful = lambda _: False


def silenced(rig: Rig) -> list[Envelope]:
    """From now on no message arrives; they are collected here."""
    said: list[Envelope] = []

    def drop(envelope: Envelope) -> bool:
        said.append(envelope)
        return True

    rig.dropped = drop
    return said


def written(rig: Rig, *names: str) -> None:
    """The first member appends large values, which are acknowledged."""
    for name in names:
        answers = rig.nodes[0].append(batch(f"{name} " + "x" * 4000))
        rig.tick(1)
        assert answers.codes == ["ok"]


def trimmed(rig: Rig) -> None:
    """Everything up to the newest snapshot is let go of."""
    written(rig, *(f"later {number}" for number in range(40)))
    answers = rig.nodes[0].call(TrimRequest(rig.nodes[0].driver.applied.offset))
    rig.tick(5)
    assert answers.codes == ["ok"]
    assert rig.nodes[0].driver.kernel.log_begins_after().offset > 0


def voters(member: Member) -> set[MemberId]:
    """The voters of the configuration in force at a member."""
    configuration = member.driver.kernel.configuration()
    return set() if configuration is None else set(configuration.voter_ids())
