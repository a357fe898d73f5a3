"""Real cores go from any set to any set, whoever dies on the way, by one enter and one leave."""

from hypothesis import given, settings
from hypothesis import strategies as st

from replog_node.raft.effects import Accepted
from tests.support.figure_3 import Figure3
from tests.unit.raft.cluster import Cluster, Node, target

NAMES = "abcdef"
SETS = st.sets(st.sampled_from(NAMES), min_size=1, max_size=4)


def arrived(cluster: Cluster, after: set[str]) -> bool:
    """Whether the new set has a leader of its own, and its configuration is committed."""
    for node in cluster.nodes.values():
        if node.core.role == "leader" and node.member in after:
            status = node.core.status()
            configuration = status.configuration
            assert configuration is not None
            settled = not configuration.joint and set(configuration.voter_ids()) == after
            return settled and status.commit.offset >= status.configuration_offset
    return False


def leading(cluster: Cluster) -> Node | None:
    """Who leads and lives, if anybody."""
    found = [
        node
        for node in cluster.nodes.values()
        if node.core.role == "leader" and node.member not in cluster.dead
    ]
    return max(found, key=lambda node: node.core.term) if found else None


@settings(max_examples=40)
@given(SETS, SETS, st.sets(st.integers(0, 40), max_size=3), st.integers(1, 30))
def test_any_set_becomes_any_set_although_leaders_die(
    before: set[str], after: set[str], deaths: set[int], asleep: int
) -> None:
    """deaths: at which moves whoever leads dies; asleep: for how many ticks."""
    others = "".join(sorted(set(NAMES) - before))
    cluster = Cluster("".join(sorted(before)), others=others, watcher=Figure3())
    leader = cluster.elect(min(before))
    planned = leader.core.status().configuration_offset
    wanted = target("".join(sorted(after)), "x", planned)
    assert isinstance(leader.aim(wanted), Accepted)
    cluster.run(1)
    for move in range(41):
        leads = leading(cluster)
        if move in deaths and leads is not None:
            _dies(cluster, leads, asleep)
        if not cluster.move():
            cluster.tick()
    cluster.run_until(lambda: arrived(cluster, after))
    joint = [] if before == after else ["enter-joint", "leave-joint"]
    learning = ["learners"] if after - before else []
    assert cluster.changes() == ["target", *learning, *joint]


def _dies(cluster: Cluster, node: Node, asleep: int) -> None:
    """It loses what its disk didn't have; the others go on, and it comes back."""
    cluster.crash(node.member)
    cluster.run(asleep)
    cluster.restart(node.member)
