"""The simulated network: late, lossy, reordering, doubling, cut in two.

A connection exists once the hello was answered; it breaks when one end dies, or by itself in the
middle of a message: what arrived of it before that was whole, the rest is lost, and both ends hear
of it. A partition loses silently, as real ones do.

Decides: the fault model of the wire. Must not know: what the bytes say.
Read next: greeting.py, world.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replog_node.driver.wire import decode
from replog_node.model.positions import MemberId
from tests.simulation.greeting import greet

if TYPE_CHECKING:
    from tests.simulation.clockwork import Clockwork
    from tests.simulation.node import SimNode

RECONNECT_US = 100_000
HELLO_TIMEOUT_US = 500_000

Link = tuple[MemberId, MemberId]


def _unseen() -> None:
    """Nobody wants to know."""


@dataclass
class Weather:
    """What every message may meet, each by its probability.

    loss; double: it comes twice; slow: it takes up to 300 ms; late: up to 5 s.
    """

    loss: float = 0.0
    double: float = 0.0
    slow: float = 0.0
    late: float = 0.0
    on_effect: Callable[[], None] = _unseen


class SimNetwork:
    """All links between members, by id; an address is only where somebody is looked for."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self.nodes: dict[MemberId, SimNode] = {}
        self.climate = Weather()
        self.weather = Weather()
        self._cut: dict[Link, Callable[[], None]] = {}
        self._delays: dict[Link, tuple[int, Callable[[], None]]] = {}
        self._links: dict[Link, int] = {}
        self._made = 0
        self._hold_next: tuple[int, Callable[[], None]] | None = None

    @property
    def troubled(self) -> bool:
        """Whether some fault is in force."""
        return bool(self._cut or self._delays) or self.weather != Weather()

    def hindered(self, link: Link) -> bool:
        """Whether messages on this link are lost or late."""
        return link in self._cut or link in self._delays

    def cut(self, one: MemberId, other: MemberId, on_effect: Callable[[], None] = _unseen) -> None:
        """Lose everything from one to the other; on_effect: something was lost."""
        self._cut[one, other] = on_effect

    def delay(
        self, one: MemberId, other: MemberId, delay_us: int, on_effect: Callable[[], None]
    ) -> None:
        """Let everything from one to the other take so much longer."""
        self._delays[one, other] = (delay_us, on_effect)

    def mend(self, links: Iterable[Link]) -> None:
        """End the cut of these links."""
        for link in links:
            self._cut.pop(link, None)

    def hasten(self, links: Iterable[Link]) -> None:
        """End the delay of these links; what is on its way still takes its time."""
        for link in links:
            self._delays.pop(link, None)

    def hold_next(self, for_us: int, on_effect: Callable[[], None]) -> None:
        """Let the message that is sent next, which is sent right now, take so much longer."""
        self._hold_next = (for_us, on_effect)

    def heal(self, among: frozenset[MemberId] | None = None) -> None:
        """The climate alone again: on all links, or only on those among these members."""
        self.weather = Weather()
        for faults in (self._cut, self._delays):
            for link in list(faults):
                if among is None or among.issuperset(link):
                    del faults[link]

    def forget(self, dead: MemberId) -> None:
        """A process died: its connections break, and the others hear of it."""
        for link in sorted(self._links):
            if dead in link:
                del self._links[link]
                other = link[0] if link[1] == dead else link[1]
                self._clockwork.after(1000, lambda other=other: self._tell_down(other, dead))  # type: ignore[misc]

    def break_between(self, one: MemberId, other: MemberId) -> bool:
        """Break their connections although both ends live; both hear of it and connect anew."""
        broken = False
        for sender, peer in ((one, other), (other, one)):
            if self._links.pop((sender, peer), None) is not None:
                broken = True
                self._clockwork.after(1000, lambda s=sender, p=peer: self._tell_down(s, p))  # type: ignore[misc]
        return broken

    def _tell_down(self, who: MemberId, dead: MemberId) -> None:
        node = self.nodes.get(who)
        if node is not None and (who, dead) not in self._links:
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
        if theirs is None or not self._reachable(mine, theirs):
            self._clockwork.after(RECONNECT_US, again)
            return
        their_life = theirs.life
        settled = False

        def answered(accepted: bool) -> None:
            nonlocal settled
            if settled:
                return
            settled = True
            if accepted and theirs.life == their_life and mine.life == life:
                self._connect(mine, theirs)
            else:
                self._clockwork.after(RECONNECT_US, again)

        greet(mine, theirs, answered)
        self._clockwork.after(HELLO_TIMEOUT_US, lambda: answered(False))

    def _connect(self, mine: SimNode, theirs: SimNode) -> None:
        self._made += 1
        self._links[mine.member, theirs.member] = self._made
        mine.do(lambda driver: driver.peer_up(theirs.member))
        theirs.learn(mine)

    def _reachable(self, mine: SimNode, theirs: SimNode) -> bool:
        if theirs.driver is None or theirs.paused or mine.paused:
            return False
        if theirs.address not in mine.book.of(theirs.member):
            return False
        return not ({(mine.member, theirs.member), (theirs.member, mine.member)} & set(self._cut))

    def send(self, sender: MemberId, to: MemberId, data: bytes) -> bool:
        """Deliver later, perhaps; False without a connection."""
        link = self._links.get((sender, to))
        held, self._hold_next = self._hold_next, None
        if link is None:
            return False
        held_us = 0
        if held is not None:
            held_us, told = held
            told()
        copies = 1
        if self._meets("double"):
            copies = 2
        for _ in range(copies):
            self._send_once((sender, to), link, data, held_us)
        return True

    def _send_once(self, way: Link, link: int, data: bytes, held_us: int) -> None:
        lost = self._cut.get(way)
        if lost is not None:
            lost()
            return
        if self._meets("loss"):
            return
        delay_us = held_us + self._clockwork.random.randint(100, 2000)
        if self._meets("slow"):
            delay_us += self._clockwork.random.randint(1000, 300_000)
        if self._meets("late"):
            delay_us += self._clockwork.random.randint(300_000, 5_000_000)
        if way in self._delays:
            longer_us, told = self._delays[way]
            told()
            delay_us += longer_us
        life = self.nodes[way[1]].life
        self._clockwork.after(delay_us, lambda: self._deliver(way, data, life, link))

    def _meets(self, what: str) -> bool:
        """Whether a message meets this, by the climate or the weather; one draw for both."""
        usual: float = getattr(self.climate, what)
        now: float = getattr(self.weather, what)
        if not usual and not now:
            return False
        drawn = self._clockwork.random.random()
        if usual <= drawn < now:
            self.weather.on_effect()
        return drawn < max(usual, now)

    def _deliver(self, way: Link, data: bytes, life: int, link: int) -> None:
        node = self.nodes.get(way[1])
        if node is None or node.life != life or way in self._cut:
            return
        if self._links.get(way) != link and self._clockwork.random.random() < 0.5:
            return  # the connection broke in the middle of it
        message = decode(data)
        node.do(lambda driver: driver.receive(message))
