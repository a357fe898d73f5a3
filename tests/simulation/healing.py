"""After the faults: who is made well, and whether the cluster then converges and serves.

A majority is enough. So only a random majority is healed first, of every set of voters that
anybody may still go by; the others stay as they are: dead, cut off, paused. What doesn't come to
rest then is a liveness bug. Only afterwards everybody is healed.

Decides: whom to heal. Must not know: which faults there were.
Read next: oracles/liveness.py, world.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.greeting import hello_of
from tests.simulation.oracles.liveness import (
    CONVERGED_WITHIN_S,
    LOOKED_EVERY_S,
    SERVED_WITHIN_S,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replog_node.model.configuration import Configuration
    from replog_node.model.positions import MemberId
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

SECOND_US = 1_000_000


class Healing:
    """Makes members well, and sees that they are. needed_all: it had to be everybody at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.needed_all = False

    def majority(self) -> list[SimNode]:
        """Members, drawn at random, that are a majority of each set of voters known to anybody.

        Before the first target was reached nobody serves yet, and all that it names are needed.
        """
        world = self._world
        known = [c for node in world.nodes for c in node.known_configurations()]
        if not any(configuration.target_reached for configuration in known):
            return list(world.nodes)
        nodes = [node for node in world.nodes if node.member not in world.lost]
        world.clockwork.random.shuffle(nodes)
        if not world.disk_faults.whole():
            return world.nodes  # anybody may have what a rotten disk lacks
        chosen: list[SimNode] = []
        for node in nodes:
            if self._suffice(chosen):
                break
            chosen.append(node)
        return sorted(chosen, key=lambda node: node.name)

    def _suffice(self, chosen: list[SimNode]) -> bool:
        ids = {node.member for node in chosen}
        known = [c for node in self._world.nodes for c in node.known_configurations()]
        halves = [half for c in known for half in _sets_of(c)]
        return bool(halves) and all(len(ids.intersection(half)) * 2 > len(half) for half in halves)

    def heal(self, nodes: Sequence[SimNode]) -> None:
        """End all faults of these members and between them; they run. The others stay as they are.

        One of the others that reaches only some of these, or only one way, reaches none from now
        on: a leader who is half heard can keep Raft from electing another for ever, and does so
        rightly. What only everybody together can be rid of (the weather) ends as well.
        """
        world = self._world
        everybody = len(nodes) == len(world.nodes)
        self.needed_all |= everybody and not world.healed
        world.healed = True
        world.triggers.clear()
        world.network.heal(None if everybody else frozenset(node.member for node in nodes))
        world.slow_disk = 0.0
        if everybody:
            world.operations.bury_all()
        else:
            self._part(nodes)
        world.disk_faults.heal()
        newest = max(node.speaks for node in world.nodes)
        for node in world.nodes:
            node.held = node not in nodes
        for node in nodes:
            node.disk.crash_at = None
            node.speaks = newest
            node.pace = 1.0
            node.clock.set_right()
            if node.paused or (node.driver and node.driver.kernel.spoken_level < newest):
                node.kill()
            node.start()
        self._seed(nodes)

    def _seed(self, nodes: Sequence[SimNode]) -> None:
        """Who has moved and who joined meanwhile learn where they are, as by `--seed-peer`.

        Without a seed they can't: neither's configuration says where the other is now.
        """
        moved = self._world.moved
        if moved is None or moved not in nodes or moved.driver is None:
            return
        known = {m.id for c in moved.known_configurations() for m in c.members}
        for other in nodes:
            if other is not moved and other.driver is not None and other.member not in known:
                other.book.learn(hello_of(moved, moved.driver, other.member))
                moved.book.learn(hello_of(other, other.driver, moved.member))

    def _part(self, nodes: Sequence[SimNode]) -> None:
        network = self._world.network
        for other in (node for node in self._world.nodes if node not in nodes):
            links = [
                link
                for node in nodes
                for link in ((node.member, other.member), (other.member, node.member))
            ]
            if any(map(network.hindered, links)):
                for link in links:
                    network.cut(*link)

    def settle(self, nodes: Sequence[SimNode]) -> None:
        """These members converge (oracles/liveness.py), or Broken is raised."""
        world, liveness = self._world, self._world.checks.liveness
        end_us = world.clockwork.now_us + int(CONVERGED_WITHIN_S * SECOND_US)
        while world.clockwork.now_us < end_us:
            world.run(LOOKED_EVERY_S)
            if liveness.hindrance(nodes, world.nodes) is None:
                return
        world.judged(lambda: liveness.converged(nodes, world.nodes))

    def serve(self, nodes: Sequence[SimNode]) -> None:
        """Of these all that are members, and whoever leads, serve, or Broken is raised.

        One that was removed while it couldn't hear of it may still take itself for a member.
        """
        world, liveness = self._world, self._world.checks.liveness
        leaders = [node for node in world.nodes if node.leads and not node.paused]
        members = {
            member.id
            for node in leaders
            for c in node.known_configurations()
            for member in c.members
        }
        healed = [node for node in nodes if node.member in members]
        if not healed and members:
            return  # they have led each other out: whom they handed over to is not of these
        asked = healed + [node for node in leaders if node not in healed]
        calls = liveness.ask(asked)
        world.run(SERVED_WITHIN_S)
        world.judged(lambda: liveness.served(calls))

    def picture(self) -> str:
        """How every member stands, a line each."""
        return "\n".join(map(_line, self._world.nodes))


def _sets_of(configuration: Configuration) -> list[tuple[MemberId, ...]]:
    """The sets of which a majority must be well: both halves, and where it is going."""
    target = configuration.target
    wanted = () if target is None else tuple(member.id for member in target.members)
    sets = (configuration.voter_ids(), configuration.outgoing_ids(), wanted)
    return [each for each in sets if each]


def _line(node: SimNode) -> str:
    if node.driver is None:
        return f"{node.name} is dead"
    s = node.driver.status("sim", {})
    return (
        f"{node.name}{' (paused)' if node.paused else ''} {s.state} {s.role} term {s.term} "
        f"leader {node.world.name_of(node.driver.kernel.leader)} commit {s.commit_offset} "
        f"applied {s.applied_offset} last {s.last_offset} durable {s.durable_offset} "
        f"waits {[w.code for w in node.driver.waits()]} "
        f"members {[(m.id[:4], m.role, m.match_offset, m.alive) for m in s.members]} "
        f"target {s.target} joint {s.joint}"
    )
