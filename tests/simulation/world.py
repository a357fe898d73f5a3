"""The simulated world: members, network, clients, operations, and the eye that watches them.

Decides: how these are put together. Must not know: how a member works, which faults come.
Read next: node.py, network.py, clients/, checks.py, healing.py, swarm.py.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from replog_node.model.snapshots import SnapshotMeta
from tests.simulation.checks import Broken, Checks
from tests.simulation.clients.askers import Conditional, Resolver
from tests.simulation.clients.client import Client
from tests.simulation.clients.curious import Curious
from tests.simulation.clients.history import History
from tests.simulation.clients.readers import Reader
from tests.simulation.clients.writers import Plain, Session
from tests.simulation.clockwork import Clockwork
from tests.simulation.diskfaults import DiskFaults
from tests.simulation.healing import Healing
from tests.simulation.messages import kind_of
from tests.simulation.network import SimNetwork
from tests.simulation.node import SimNode
from tests.simulation.operations import Operations
from tests.simulation.sizes import Sizes
from tests.simulation.triggers import Triggers

if TYPE_CHECKING:
    from collections.abc import Callable

    from replog_node.driver.driver import Driver
    from replog_node.model.positions import MemberId

SECOND_US = 1_000_000


class World:
    """A cluster of `members` (of which `voters` are the first target), and its clients.

    faults: struck, by kind; effects: of those, how many took effect; notes: events
    that members told their logs; steps: of all cores.
    samples: the last message of each kind.
    lost: members whose disks are gone for good; healed: faults are over, for some or all.
    """

    def __init__(
        self, seed: int, *, members: int = 3, voters: int = 3, sizes: Sizes | None = None
    ) -> None:
        self.seed = seed
        self.sizes = Sizes() if sizes is None else sizes
        self.clockwork = Clockwork(seed)
        self.network = SimNetwork(self.clockwork)
        self.triggers = Triggers(self)
        self.history = History()
        self.value_bytes = 0
        self.checks = Checks(self)
        self.operations = Operations(self)
        self.healing = Healing(self)
        self.disk_faults = DiskFaults(self)
        self.slow_disk = 0.0
        self.duplicates = self.installed = self.forwarded = self.steps = self.builds_refused = 0
        self.faults: Counter[str] = Counter()
        self.effects: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.samples: dict[str, bytes] = {}
        self.healed = False
        self.moved: SimNode | None = None
        self.lost: set[MemberId] = set()
        self.nodes = [SimNode(self, f"m{number}") for number in range(members)]
        self.clients: list[Client] = []
        for node in self.nodes:
            node.start()
        self.operations.found(voters)

    def add_clients(self, *, plain: int = 2, sessions: int = 3, readers: int = 2) -> None:
        """Let clients begin."""
        self.clients += [Plain(self, f"plain{n}") for n in range(plain)]
        self.clients += [Session(self, f"session{n}") for n in range(sessions)]
        self.clients += [Reader(self, f"reader{n}") for n in range(readers)]

    def add_askers(self, conditionals: int = 1) -> None:
        """Let those begin that ask for more: conditions, and the fate of what is unknown."""
        self.clients += [Conditional(self, f"conditional{n}") for n in range(1, conditionals)]
        self.clients += [Conditional(self, "conditional"), Resolver(self, "resolver")]
        self.clients.append(Curious(self, "curious"))

    def stop_clients(self) -> None:
        """Let nobody begin anything new."""
        for client in self.clients:
            client.stopped = True

    def retarget(self, voters: int | list[int]) -> None:
        """Ask for a membership, again and again until somebody has committed it."""
        self.operations.retarget(list(range(voters)) if isinstance(voters, int) else voters)

    def expendable(self, node: SimNode) -> bool:
        """Whether this member's disk may be lost now: the cluster goes on with the others'."""
        known = [c for each in self.nodes for c in each.known_configurations()]
        gone = {node.member, *self.lost}
        for configuration in known:
            for half in (configuration.voter_ids(), configuration.outgoing_ids()):
                if self.lost.intersection(half) or (node.member in half and len(half) < 3):
                    return False
        return bool(known) and any(node.member in c.voter_ids() for c in known) and bool(gone)

    # What members tell.

    def started(self, node: SimNode) -> None:
        """A process runs: see everything that it applies."""
        if node.driver is None:
            return
        self.clockwork.note(node.name, "started", f"life={node.life}")
        self._count_steps(node.driver)
        self.checks.started(node)
        state = node.driver.applied
        apply = state.apply

        def seen(entry: Any) -> None:
            apply(entry)
            self.checks.applied(node.name, entry)
            self.checks.state(node.name, state.offset, state.digest())

        state.apply = seen  # type: ignore[method-assign]

    def _count_steps(self, driver: Driver) -> None:
        run: Callable[[Any], Any] = driver.kernel.run

        def counted(event: Any) -> Any:
            self.steps += 1
            return run(event)

        driver.kernel.run = counted  # type: ignore[method-assign]

    def ended(self, node: SimNode) -> None:
        """A process has died."""
        self.clockwork.note(node.name, "ended")
        self.checks.ended(node)

    def sent(self, node: SimNode, to: MemberId, message: bytes) -> None:
        """A member sends a message."""
        kind = kind_of(message)
        self.samples[kind] = message
        self.clockwork.note(node.name, "send", self.name_of(to), kind, len(message))
        self.triggers.sent(node, to, kind)

    def built(self, node: SimNode, snapshot: SnapshotMeta) -> None:
        """A snapshot was built: at equal offsets all must be equal."""
        self.clockwork.note(node.name, "built", snapshot.position.offset)
        self.checks.snapshot(node.name, snapshot)

    def led(self, node: SimNode, term: int) -> None:
        """A member became leader."""
        self.checks.leader(node.name, term)
        self.triggers.happened("leads", node)

    def name_of(self, member: MemberId | None) -> str:
        """The name of the member with this id."""
        node = None if member is None else self.network.nodes.get(member)
        return "-" if node is None else node.name

    # Time.

    def run(self, seconds: float) -> None:
        """Let time pass. Whatever goes wrong is told with the world around it."""
        try:
            self.clockwork.run_until(self.clockwork.now_us + int(seconds * SECOND_US))
        except Exception as problem:
            oracle = problem.oracle if isinstance(problem, Broken) else ""
            raise self.broken(f"{type(problem).__name__}: {problem}", oracle) from problem

    def broken(self, what: str, oracle: str = "") -> Broken:
        """A failure with all that helps to find its cause; oracle: who saw it."""
        return Broken(
            f"{what}\n\n"
            f"seed {self.seed}, {len(self.nodes)} members, at "
            f"{self.clockwork.now_us / SECOND_US:.4f} s (again: make sim SEED={self.seed})\n"
            f"faults that took effect: {dict(self.effects)}\n\n{self.healing.picture()}\n\n"
            "last events:\n" + "\n".join(self.clockwork.trace.last(25)),
            oracle=oracle,
        )

    def heal(self) -> None:
        """End all faults; everybody runs."""
        self.healing.heal(self.nodes)

    def settle(self) -> None:
        """After healing: everybody converges, or Broken is raised."""
        self.healing.settle(self.nodes)

    def finish(self) -> None:
        """After all of it: everybody serves again, and the clients' history holds."""
        self.healing.serve(self.nodes)
        self.judged(lambda: self.checks.history(self.history))

    def judged(self, check: Callable[[], None]) -> None:
        """Whatever this check finds is told with the world around it."""
        try:
            check()
        except Broken as problem:
            raise self.broken(str(problem), problem.oracle) from problem
