"""What people and operators do, at the worst moment: membership, leadership, snapshots, trims.

Decides: what is asked for. Must not know: whether it is granted.
Read next: ../operations.py.
"""

from __future__ import annotations

from tests.simulation.faults.registry import Blow, fault
from tests.simulation.triggers import Trigger


@fault("transfer")
def transfer(blow: Blow) -> None:
    """Leadership is to move to the best."""
    blow.world.operations.transfer(None, blow.hit)


@fault("transfer-to")
def transfer_to(blow: Blow) -> None:
    """Leadership is to move to one member."""
    blow.world.operations.transfer(blow.node.member, blow.hit)


@fault("retarget")
def retarget(blow: Blow) -> None:
    """Any set of members is to become the cluster."""
    count = len(blow.world.nodes)
    size = blow.random.randint(1, count)
    blow.world.operations.retarget(sorted(blow.random.sample(range(count), size)), blow.hit)


@fault("retarget-without-leader")
def retarget_without_leader(blow: Blow) -> None:
    """The leader is among those that leave."""
    places = [place for place, node in enumerate(blow.world.nodes) if not node.leads]
    if places and len(places) < len(blow.world.nodes):
        blow.world.operations.retarget(places, blow.hit)


@fault("trim")
def trim(blow: Blow) -> None:
    """The log's beginning is to be let go."""
    blow.world.operations.trim(blow.random.random(), blow.hit)


@fault("snapshot")
def snapshot(blow: Blow) -> None:
    """Everybody is to build a snapshot now."""
    blow.world.operations.snapshot(blow.hit)


@fault("raise-level")
def raise_level(blow: Blow) -> None:
    """The next feature level is to be in force: if somebody doesn't speak it, that is refused."""
    blow.world.operations.raise_level(blow.hit)


@fault("clock-acknowledged")
def clock_acknowledged(blow: Blow) -> None:
    """Somebody says that a member's clock is right, though it may not be."""
    if blow.node.able() is not None:
        blow.node.do(lambda driver: driver.acknowledge_clock())
        blow.hit()


@fault("wipe")
def wipe(blow: Blow) -> None:
    """A voter loses its disk for good, and is replaced."""
    blow.world.operations.wipe(blow.node, blow.hit)


@fault("refound")
def refound(blow: Blow) -> None:
    """The founding is asked for again: the same one is answered, any other is refused."""
    blow.world.operations.refound(blow.node, same=blow.random.random() < 0.5, done=blow.hit)


@fault("relic")
def relic(blow: Blow) -> None:
    """A member that was removed comes back with its old disk."""
    blow.world.operations.relic(blow.random, blow.hit)


@fault("stranger")
def stranger(blow: Blow) -> None:
    """Somebody of another cluster, or of another life of this log, says hello."""
    blow.world.operations.stranger(blow.node, blow.random, blow.hit)


@fault("fall-behind")
def fall_behind(blow: Blow) -> None:
    """While a member hears nobody the others let go of what it lacks: it needs a snapshot then.

    Half of the time it dies in the middle of that.
    """
    world, node = blow.world, blow.node
    links = [
        link
        for other in blow.others()
        for link in ((node.member, other.member), (other.member, node.member))
    ]
    for link in links:
        world.network.cut(*link, blow.hit)
    for at_ms in (800, 1600, 2400):
        blow.later(at_ms * 1000, lambda: world.operations.snapshot(blow.hit))
        blow.later((at_ms + 600) * 1000, lambda: world.operations.trim(1.0, blow.hit))
    blow.later(3_500_000, lambda: world.network.mend(links))
    if blow.random.random() < 0.5:
        within = blow.random.randint(1, 30)
        world.triggers.arm(
            Trigger(
                "installs",
                lambda moment: moment.node is node,
                lambda moment: moment.node.crash_within(within, blow.hit),
                world.clockwork.now_us + 8_000_000,
            )
        )
