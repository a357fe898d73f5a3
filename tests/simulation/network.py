"""The simulated network: late, lossy, reordering, doubling, cut in two.

A connection exists once the hello was answered; it breaks when one end dies. What is in flight then
is lost, and both ends hear of it. A partition loses silently, as real ones do.

Decides: the fault model of the wire. Must not know: what the bytes say.
Read next: world.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from replog_node.driver.wire import decode
from replog_node.model.positions import MemberId

if TYPE_CHECKING:
    from tests.simulation.clockwork import Clockwork
    from tests.simulation.node import SimNode

RECONNECT_US = 100_000
HELLO_TIMEOUT_US = 500_000


class SimNetwork:
    """All links.

    loss, double: probability a message; slow: of one that takes up to 300 ms; late: up to 5 s.
    """

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self.nodes: dict[MemberId, SimNode] = {}
        self.loss = 0.0
        self.double = 0.0
        self.slow = 0.0
        self.late = 0.0
        self._cut: set[tuple[MemberId, MemberId]] = set()
        self._links: set[tuple[MemberId, MemberId]] = set()

    def cut(self, one: MemberId, other: MemberId, *, both_ways: bool = True) -> None:
        """Lose everything from one to the other."""
        self._cut.add((one, other))
        if both_ways:
            self._cut.add((other, one))

    def heal(self) -> None:
        """A perfect network again."""
        self._cut.clear()
        self.loss = self.double = self.slow = self.late = 0.0

    def forget(self, dead: MemberId) -> None:
        """A process died: its connections break, and the others hear of it."""
        for link in sorted(self._links):
            if dead in link:
                self._links.discard(link)
                other = link[0] if link[1] == dead else link[1]
                self._clockwork.after(1000, lambda other=other: self._tell_down(other, dead))  # type: ignore[misc]

    def break_between(self, one: MemberId, other: MemberId) -> None:
        """A connection breaks although both ends live; both hear of it and connect anew."""
        for sender, peer in ((one, other), (other, one)):
            if (sender, peer) in self._links:
                self._links.discard((sender, peer))
                self._clockwork.after(1000, lambda s=sender, p=peer: self._tell_down(s, p))  # type: ignore[misc]

    def _tell_down(self, who: MemberId, dead: MemberId) -> None:
        node = self.nodes.get(who)
        if node is not None:
            node.do(lambda driver: driver.peer_down(dead))
            self.keep(who, {dead: ""}, node.life)

    def keep(self, sender: MemberId, peers: Mapping[MemberId, str], life: int) -> None:
        """Connect to these members, again and again, while the sender lives."""
        for peer in sorted(peers):
            self._clockwork.after(500, lambda peer=peer: self._try(sender, peer, life))  # type: ignore[misc]

    def _try(self, sender: MemberId, peer: MemberId, life: int) -> None:
        """One attempt at a hello; it goes on until the connection is made."""
        mine, theirs = self.nodes.get(sender), self.nodes.get(peer)
        if mine is None or mine.life != life or not mine.wants(peer):
            return
        if (sender, peer) in self._links:
            return
        again = lambda: self._try(sender, peer, life)  # noqa: E731
        if theirs is None or theirs.driver is None or theirs.paused or (sender, peer) in self._cut:
            self._clockwork.after(RECONNECT_US, again)
            return
        their_life = theirs.life
        settled = False

        def answered(adopted: bool) -> None:
            nonlocal settled
            if settled:
                return
            settled = True
            if adopted and theirs.life == their_life and mine.life == life:
                self._links.add((sender, peer))
                mine.do(lambda driver: driver.peer_speaks(peer, theirs.speaks))
                theirs.do(lambda driver: driver.peer_speaks(sender, mine.speaks))
                mine.do(lambda driver: driver.peer_up(peer))
                theirs.learn(sender)
            else:
                self._clockwork.after(RECONNECT_US, again)

        mine.greet(theirs, answered)
        self._clockwork.after(HELLO_TIMEOUT_US, lambda: answered(False))

    def send(self, sender: MemberId, to: MemberId, data: bytes) -> bool:
        """Deliver later, perhaps; False without a connection."""
        if (sender, to) not in self._links:
            return False
        random = self._clockwork.random
        copies = 2 if random.random() < self.double else 1
        for _ in range(copies):
            if (sender, to) in self._cut or random.random() < self.loss:
                continue
            delay_us = random.randint(100, 2000)
            if random.random() < self.slow:
                delay_us += random.randint(1000, 300_000)
            if random.random() < self.late:
                delay_us += random.randint(300_000, 5_000_000)
            life = self.nodes[to].life
            self._clockwork.after(delay_us, lambda life=life: self._deliver(sender, to, data, life))  # type: ignore[misc]
        return True

    def _deliver(self, sender: MemberId, to: MemberId, data: bytes, life: int) -> None:
        node = self.nodes.get(to)
        if node is None or node.life != life or (sender, to) in self._cut:
            return
        message = decode(data)
        node.do(lambda driver: driver.receive(message))
