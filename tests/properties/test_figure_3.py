"""Whatever happens to cores with real frames, figure 3 of the paper holds after every step.

A run is a list of small moves, so that hypothesis can shorten a failing one to what matters.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from replog_node.frames.build import build_entry
from replog_node.frames.decode import decode_entry, succeeds, tail_of
from replog_node.model.controls import ClockAdvanced
from replog_node.model.entries import Payload
from tests.support.figure_3 import Figure3
from tests.unit.raft.cluster import LIMITS, SEED, Cluster, Node, target

NAMES = "abcd"
QUICK = replace(
    LIMITS, election_ticks=3, resend_ticks=2, cache_bytes=600, max_inflight_count=2,
    learner_patience_ticks=6, departure_ticks=12,
)  # fmt: skip
PAYLOAD = Payload((ClockAdvanced(),))

MOVES = st.sampled_from(
    ["nothing"] + ["tick"] * 6 + ["arrive"] * 10 + ["late", "twice", "lost"] + ["write"] * 5
    + ["propose"] * 3 + ["read", "transfer", "aim", "crash", "restart", "cut", "heal"]
)  # fmt: skip
STEPS = st.lists(
    st.tuples(MOVES, st.integers(0, 3), st.integers(0, 15)), min_size=150, max_size=400
)
"""Long, since a list that may be short mostly is; a failing one is shortened to idle moves."""


class World:
    """A cluster of a, b and c, to which d may come; watched from outside."""

    def __init__(self) -> None:
        self.watched = Figure3()
        self.cluster = Cluster(
            "abc", others="d", limits=QUICK, framer=build_entry, watcher=self.watched
        )
        self._asked = 0

    def move(self, what: str, who: int, other: int) -> None:
        """One thing happens."""
        name = NAMES[who]
        if what in ("arrive", "late", "twice", "lost"):
            self._network(what, other)
        elif what == "restart":
            if name in self.cluster.dead:
                self.cluster.restart(name)
        elif what == "heal":
            self.cluster.heal()
        elif what == "cut":
            self.cluster.cut.add((name, NAMES[other % 4]))
        elif what != "nothing" and name not in self.cluster.dead:
            self._member(what, self.cluster[name], other)

    def _network(self, what: str, which: int) -> None:
        flying = self.cluster.flying
        if not flying:
            return
        index = which % len(flying) if what == "late" else 0
        envelope = flying[index]
        if what != "twice":
            del flying[index]
        if what != "lost":
            self.cluster.receive(envelope)

    def _member(self, what: str, node: Node, other: int) -> None:
        match what:
            case "tick":
                for _ in range(1 + other % 3):
                    node.tick()
            case "write":
                if self.cluster.reads:
                    self.cluster.move_reads()
                if node.disk.queue:
                    node.persist_one()
            case "propose":
                node.propose(PAYLOAD)
            case "read":
                self._asked += 1
                node.read(self._asked)
            case "transfer":
                node.transfer()
            case "aim":
                self._aim(node, other)
            case "crash":
                self.cluster.crash(node.member)
            case _:
                raise ValueError(what)

    def _aim(self, node: Node, which: int) -> None:
        names = "".join(name for bit, name in enumerate(NAMES) if (which + 1) >> bit & 1) or "abc"
        self._asked += 1
        planned = node.core.status().configuration_offset
        node.aim(target(names, f"op-{self._asked}", planned))

    def settle(self) -> None:
        """All links and members work again."""
        self.cluster.heal()
        for name in sorted(self.cluster.dead):
            self.cluster.restart(name)
        self.cluster.run_until(self._settled)

    def _settled(self) -> bool:
        leaders = [node for node in self.cluster.nodes.values() if node.core.role == "leader"]
        if len(leaders) != 1 or leaders[0].core.admitting is not None:
            return False
        configuration = leaders[0].core.configuration
        assert configuration is not None
        if configuration.joint or configuration.learners:
            return False
        logs = [self.cluster[voter].log() for voter in configuration.voter_ids()]
        status = leaders[0].core.status()
        return all(log == logs[0] for log in logs) and status.commit == status.last


@pytest.mark.timeout(400)  # it takes seconds; shortening a failing run may take minutes
@settings(max_examples=30)
@given(STEPS)
def test_figure_3_holds_after_every_step_and_the_cluster_settles(
    steps: list[tuple[str, int, int]],
) -> None:
    world = World()
    world.cluster.elect("a")
    for what, who, other in steps:
        world.move(what, who, other)
    world.settle()
    for node in world.cluster.nodes.values():
        _is_a_chain(node)


def _is_a_chain(node: Node) -> None:
    """Every frame decodes to its entry and proves its place."""
    tail = SEED
    for entry in node.disk.entries:
        assert decode_entry(entry.frame) == entry
        assert succeeds(tail, entry)
        tail = tail_of(entry)
