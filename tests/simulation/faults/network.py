"""Faults of the network: cut, lossy, slow, one way, in halves, broken, late.

Decides: how each hinders messages. Must not know: what they say.
Read next: ../network.py.
"""

from __future__ import annotations

from tests.simulation.faults.registry import Blow, fault
from tests.simulation.network import Weather


@fault("partition")
def partition(blow: Blow) -> None:
    """A member hears nobody and nobody hears it."""
    for other in blow.others():
        blow.world.network.cut(blow.node.member, other.member, blow.hit)
        blow.world.network.cut(other.member, blow.node.member, blow.hit)


@fault("one-way")
def one_way(blow: Blow) -> None:
    """A member hears, and isn't heard."""
    for other in blow.others():
        blow.world.network.cut(blow.node.member, other.member, blow.hit)


@fault("deaf")
def deaf(blow: Blow) -> None:
    """A member is heard, and hears nobody."""
    for other in blow.others():
        blow.world.network.cut(other.member, blow.node.member, blow.hit)


@fault("pair")
def pair(blow: Blow) -> None:
    """Two members don't hear each other, or one the other, while all else works."""
    if blow.others():
        other = blow.random.choice(blow.others())
        blow.world.network.cut(blow.node.member, other.member, blow.hit)
        if blow.random.random() < 0.5:
            blow.world.network.cut(other.member, blow.node.member, blow.hit)


@fault("halves")
def halves(blow: Blow) -> None:
    """Two halves that only one member still connects, or none."""
    with_bridge = blow.random.random() < 0.5
    left = {node.name for node in blow.world.nodes if blow.random.random() < 0.5}
    for one in blow.world.nodes:
        for other in blow.world.nodes:
            apart = (one.name in left) != (other.name in left)
            if apart and not (with_bridge and blow.node in (one, other)):
                blow.world.network.cut(one.member, other.member, blow.hit)


@fault("break")
def break_connections(blow: Blow) -> None:
    """All connections of a member break, in the middle of a message if one is under way."""
    for other in blow.others():
        if blow.world.network.break_between(blow.node.member, other.member):
            blow.hit()


@fault("lossy")
def lossy(blow: Blow) -> None:
    """Messages get lost, come twice, overtake each other; each by a rate of its own."""
    random = blow.random
    blow.world.network.weather = Weather(
        loss=random.choice((0, 0.05, 0.1, 0.3)),
        double=random.choice((0, 0.1, 0.5)),
        slow=random.choice((0, 0.1, 0.3)),
        late=random.choice((0, 0.02, 0.1)),
        on_effect=blow.hit,
    )


@fault("late")
def late(blow: Blow) -> None:
    """A few messages arrive seconds later, when all may have changed."""
    blow.world.network.weather = Weather(late=0.02, on_effect=blow.hit)


@fault("slow-link")
def slow_link(blow: Blow) -> None:
    """Everything from one member to another takes a long time, in order."""
    if blow.others():
        other = blow.random.choice(blow.others())
        delay_us = blow.random.choice((20_000, 100_000, 400_000))
        blow.world.network.delay(blow.node.member, other.member, delay_us, blow.hit)


@fault("slow-net")
def slow_net(blow: Blow) -> None:
    """Every link takes a long time of its own, so that much is under way at once."""
    for one in blow.world.nodes:
        for other in blow.world.nodes:
            if one is not other:
                delay_us = blow.random.randint(20_000, 400_000)
                blow.world.network.delay(one.member, other.member, delay_us, blow.hit)


@fault("heal")
def heal(blow: Blow) -> None:
    """The network and all disks are well again."""
    if blow.world.network.troubled or blow.world.slow_disk:
        blow.hit()
    blow.world.network.heal()
    blow.world.slow_disk = 0.0
