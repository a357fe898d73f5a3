"""What people and operators ask of a cluster, again and again until it is done.

Decides: whom they ask, and how they go on after a refusal. Must not know: when (faults/).
Read next: faults/operations.py, world.py.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replog.wire.problems import ApiError
from replog.wire.schemas import (
    BootstrapRequest,
    Done,
    LevelRequest,
    MemberAddress,
    SnapshotRequest,
    TargetRequest,
    TransferRequest,
    TrimRequest,
)
from replog_node.driver.calls import Request
from replog_node.driver.standing import Standing
from replog_node.model.positions import ClusterId, Lineage, MemberId
from tests.simulation.checks import Broken
from tests.simulation.greeting import greet_as
from tests.simulation.node import SimNode

if TYPE_CHECKING:
    from tests.simulation.world import World

SECOND_US = 1_000_000
RELIC_LIVES_US = 4 * SECOND_US
"""How long a removed member with its old disk runs."""

Told = Callable[[], None]


def _unheard() -> None:
    """Nobody waits for it."""


class Operations:
    """All that is asked of the cluster but appends and reads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0
        self._founding: BootstrapRequest | None = None
        self.founder: MemberId | None = None
        self.wanted: list[int] = []
        self.relics: list[SimNode] = []
        self.undead: list[SimNode] = []

    # Membership.

    def found(self, voters: int) -> None:
        """Found a cluster of one, then set the first target."""
        random = self._world.clockwork.random
        cluster_id = str(UUID(int=random.getrandbits(128), version=4))
        request = self._founding = BootstrapRequest(cluster_id, "found")
        founder = self._world.nodes[0]
        self.founder = founder.member

        def founded(result: Done | ApiError) -> None:
            self._world.clockwork.note(founder.name, "founded", result)
            self.retarget(list(range(voters)))

        founder.do(lambda driver: driver.bootstrap(request, founded))

    def refound(self, node: SimNode, *, same: bool, done: Told) -> None:
        """Ask for a founding again; raises Broken if it is carried out where it must not be."""
        known = self._founding
        driver = node.driver
        if known is None or driver is None or driver.membership.cluster_id is None:
            return
        request = known if same else BootstrapRequest(known.cluster_id, "another founding")
        may = same and node.member == self.founder

        def answered(result: Done | ApiError) -> None:
            if isinstance(result, Done) != may:
                raise Broken(f"{node.name} was founded again ({same=}) and says {result}")
            done()

        node.do(lambda driver: driver.bootstrap(request, answered))

    def retarget(self, places: list[int], done: Told = _unheard) -> None:
        """Ask for a membership, again and again until somebody has committed it.

        Not while a disk is rotten: whoever leaves may have what another one lacks.
        """
        if not self._world.disk_faults.whole():
            return
        self._count += 1
        self.wanted = places
        self._ask(places, f"target-{self._count}", done)

    def _ask(self, places: list[int], operation: str, done: Told) -> None:
        again = lambda: self._ask(places, operation, done)  # noqa: E731
        if operation != f"target-{self._count}":
            return  # a newer one is wanted
        nodes = self._world.nodes
        driver = self._world.clockwork.random.choice(nodes).able()
        if driver is None or driver.kernel.core is None:
            self._world.clockwork.after(200_000, again)
            return
        members = [MemberAddress(nodes[p].member, nodes[p].address) for p in places]
        status = driver.status("sim", {})
        request = TargetRequest(members, operation, status.configuration_offset)

        def answered(result: Any) -> None:
            self._world.clockwork.note("operator", "target", operation, result)
            if not isinstance(result, ApiError):
                self._world.checks.set(operation)
                done()
                return
            if result.code == "invalid_target":
                self._renew(places, result.detail)
            self._world.clockwork.after(300_000, again)

        reply = _once(answered)
        self._world.clockwork.after(5 * SECOND_US, lambda: reply(ApiError("timeout", "no answer")))
        driver.call(request, reply, deadline_s=driver.clock.monotonic_s() + 3)

    def _renew(self, places: list[int], refusal: str) -> None:
        """A removed member is parked for good: it comes back with an empty disk and a new id.

        The refusal names it; whom a member that was asked doesn't know may well be a voter by now.
        """
        for place in places:
            node = self._world.nodes[place]
            if node.member in refusal:
                self.relics.append(node.renew())

    def relic(self, random: Random, done: Told) -> None:
        """Start a removed member with the disk that it had; it ends after a while."""
        if not self.relics:
            return
        relic = self.relics.pop(random.randrange(len(self.relics)))
        self.undead.append(relic)
        relic.join()
        relic.start()
        done()
        self._world.clockwork.after(RELIC_LIVES_US, lambda: self._bury(relic))

    def _bury(self, relic: SimNode) -> None:
        if relic in self.undead:
            self.undead.remove(relic)
            relic.leave()

    def bury_all(self) -> None:
        """End all removed members that still run."""
        for relic in list(self.undead):
            self._bury(relic)

    def wipe(self, node: SimNode, done: Told) -> None:
        """A member loses its disk and comes back empty, as another one; it is replaced at once.

        Only where a majority of others keeps its disks, and one at a time.
        """
        if not self._world.expendable(node) or not self._world.disk_faults.whole():
            return
        self._world.lost.add(node.member)
        node.renew()
        done()
        self.retarget(self.wanted)

    # Calls that anybody may make once.

    def transfer(self, to: str | None, done: Told) -> None:
        """Ask somebody to hand leadership over, to that member or to the best."""
        self._call(TransferRequest(to), done)

    def trim(self, part: float, done: Told) -> None:
        """Let go of this part of what the log holds; not of what a rotten disk may need."""
        if not self._world.disk_faults.lets_go():
            return
        committed = self._world.checks.committed
        end = committed[-1].last if committed else 0
        start = max((n.driver.log_start for n in self._world.nodes if n.driver), default=0)
        self._call(TrimRequest(start + int(part * max(0, end - start) / 2)), done)

    def snapshot(self, done: Told) -> None:
        """Let everybody build a snapshot."""
        self._call(SnapshotRequest(), done)

    def raise_level(self, done: Told) -> None:
        """Ask for the feature level above the highest that anybody knows to be in force."""
        drivers = [node.driver for node in self._world.nodes if node.driver is not None]
        level = 1 + max((driver.feature_level for driver in drivers), default=0)
        self._call(LevelRequest(level), done)

    def _call(self, request: Request, done: Told) -> None:
        node = self._world.clockwork.random.choice(self._world.nodes)
        driver = node.able()
        if driver is None:
            return

        def answered(result: Any) -> None:
            self._world.clockwork.note("operator", type(request).__name__, result)
            if not isinstance(result, ApiError):
                done()

        driver.call(request, answered, deadline_s=driver.clock.monotonic_s() + 3)

    def stranger(self, node: SimNode, random: Random, done: Told) -> None:
        """Say hello as somebody of another cluster, or of an older or newer life of this log.

        Raises Broken if the connection stands. A newer life fences the member until it starts anew.
        """
        driver = node.driver
        if driver is None or driver.membership.lineage is None or self._founding is None:
            return
        if driver.membership.standing is not Standing.MEMBER or driver.kernel.core is None:
            return  # one that is removed, or stops, has nothing to be fenced from
        mine = driver.membership.lineage
        kind = random.choice(("cluster", "older", "other", "newer"))
        number = mine.number + {"older": -1, "newer": 1}.get(kind, 0)
        lineage = mine if kind == "cluster" else Lineage(number, "another life")
        cluster = "another cluster" if kind == "cluster" else self._founding.cluster_id

        def answered(accepted: bool) -> None:
            fenced = node.driver is driver and driver.kernel.core is None
            if accepted or (node.driver is driver and fenced != (kind == "newer")):
                raise Broken(f"{node.name} took a stranger ({kind}) for one of its cluster")
            done()
            if kind == "newer":
                node.kill()
                self._world.clockwork.after(SECOND_US, node.start)

        greet_as(ClusterId(cluster), lineage, node, answered)


def _once(answered: Any) -> Any:
    done = False

    def reply(result: Any) -> None:
        nonlocal done
        if not done:
            done = True
            answered(result)

    return reply
