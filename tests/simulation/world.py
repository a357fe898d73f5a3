"""The simulated world: members, network, clients, faults, and the eye that watches them.

Decides: which faults come when, from the seed. Must not know: how a member works.
Read next: node.py, network.py, clients/, checks.py, test_simulation.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from replog.wire.problems import ApiError
from replog.wire.schemas import (
    BootstrapRequest,
    Done,
    LevelRequest,
    MemberAddress,
    TargetRequest,
    TransferRequest,
)
from replog_node.model.snapshots import SnapshotMeta
from replog_node.state.applied import AppliedState
from tests.simulation.checks import Broken, Checks
from tests.simulation.clients.askers import Conditional, Resolver
from tests.simulation.clients.client import Client
from tests.simulation.clients.history import History
from tests.simulation.clients.readers import Reader
from tests.simulation.clients.writers import Plain, Session
from tests.simulation.clockwork import Clockwork
from tests.simulation.diskfaults import DiskFaults
from tests.simulation.network import SimNetwork
from tests.simulation.node import SimNode
from tests.simulation.oracles.liveness import (
    CONVERGED_WITHIN_S,
    LOOKED_EVERY_S,
    SERVED_WITHIN_S,
)

SECOND_US = 1_000_000


class World:
    """A cluster of `members` (of which `voters` are the first target), and its clients."""

    def __init__(self, seed: int, *, members: int = 3, voters: int = 3) -> None:
        self.seed = seed
        self.clockwork = Clockwork(seed)
        self.network = SimNetwork(self.clockwork)
        self.history = History()
        self.checks = Checks(self)
        self.slow_disk = 0.0
        self.duplicates = 0
        self.installed = 0
        self.forwarded = 0
        self.builds_refused = 0
        self.faults: dict[str, int] = {}
        self.nodes = [SimNode(self, f"m{number}") for number in range(members)]
        self.clients: list[Client] = []
        self.disk_faults = DiskFaults(self)
        self._operations = 0
        self._watched: dict[str, tuple[int, AppliedState]] = {}
        for node in self.nodes:
            node.start()
        self._found(voters)

    # Bringing it up.

    def _found(self, voters: int) -> None:
        """Found a cluster of one, then set the first target."""
        cluster_id = str(UUID(int=self.clockwork.random.getrandbits(128), version=4))
        request = BootstrapRequest(cluster_id, "found")
        founder = self.nodes[0]

        def founded(result: Done | ApiError) -> None:
            self.clockwork.note("founded", str(result))
            self.retarget(voters)

        founder.do(lambda driver: driver.bootstrap(request, founded))

    def retarget(self, voters: int | list[int]) -> None:
        """Ask for a membership, again and again until somebody has committed it."""
        places = list(range(voters)) if isinstance(voters, int) else voters
        self._operations += 1
        operation = f"target-{self._operations}"
        self._ask(places, operation)

    def _ask(self, places: list[int], operation: str) -> None:
        again = lambda: self._ask(places, operation)  # noqa: E731
        if operation != f"target-{self._operations}":
            return  # a newer one is wanted
        node = self.clockwork.random.choice(self.nodes)
        driver = node.driver
        if driver is None or node.paused or driver.kernel.core is None:
            self.clockwork.after(200_000, again)
            return
        members = [MemberAddress(self.nodes[p].member, f"{self.nodes[p].name}:1") for p in places]
        status = driver.status("sim", {})
        request = TargetRequest(members, operation, status.configuration_offset)

        def answered(result: Any) -> None:
            self.clockwork.note("target", operation, str(result))
            if isinstance(result, ApiError) and result.code == "invalid_target":
                self._renew(places, {member.id for member in status.members})
            if isinstance(result, ApiError):
                self.clockwork.after(300_000, again)

        reply = _once(answered)
        self.clockwork.after(5 * SECOND_US, lambda: reply(ApiError("timeout", "no answer")))
        driver.call(request, reply, deadline_s=driver.clock.monotonic_s() + 3)

    def _renew(self, places: list[int], present: set[str]) -> None:
        """A removed member is parked for good: it comes back with an empty disk and a new id."""
        for place in places:
            if self.nodes[place].member not in present:
                self.nodes[place].renew()

    def transfer(self, to: str | None) -> None:
        """Ask somebody to hand leadership over, to that member or to the best."""
        node = self.clockwork.random.choice(self.nodes)
        if node.driver is not None and not node.paused:
            deadline_s = node.driver.clock.monotonic_s() + 3
            node.driver.call(TransferRequest(to), lambda _: None, deadline_s=deadline_s)

    def raise_level(self) -> None:
        """Ask somebody for the feature level above the one that is in force there."""
        node = self.clockwork.random.choice(self.nodes)
        if node.driver is not None and not node.paused:
            request = LevelRequest(node.driver.feature_level + 1)
            deadline_s = node.driver.clock.monotonic_s() + 3
            told = lambda result: self.clockwork.note("raise", request, str(result))  # noqa: E731
            node.driver.call(request, told, deadline_s=deadline_s)

    def add_clients(self, *, plain: int = 2, sessions: int = 3, readers: int = 2) -> None:
        """Let clients begin."""
        self.clients += [Plain(self, f"plain{n}") for n in range(plain)]
        self.clients += [Session(self, f"session{n}") for n in range(sessions)]
        self.clients += [Reader(self, f"reader{n}") for n in range(readers)]

    def add_askers(self) -> None:
        """Let those begin that ask for more: conditions, and the fate of what is unknown."""
        self.clients += [Conditional(self, "conditional"), Resolver(self, "resolver")]

    def stop_clients(self) -> None:
        """Let nobody begin anything new."""
        for client in self.clients:
            client.stopped = True

    # What members tell.

    def started(self, node: SimNode) -> None:
        """A process runs: see everything that it applies."""
        if node.driver is None:
            return
        self.checks.started(node)
        state = node.driver.applied
        apply = state.apply

        def seen(entry: Any) -> None:
            apply(entry)
            self.checks.applied(node.name, entry)
            self.checks.state(node.name, state.offset, state.digest())

        state.apply = seen  # type: ignore[method-assign]

    def ended(self, node: SimNode) -> None:
        """A process has died."""
        self.clockwork.note("ended", node.name)
        self.checks.ended(node)

    def built(self, node: SimNode, snapshot: SnapshotMeta) -> None:
        """A snapshot was built: at equal offsets all must be equal."""
        self.checks.snapshot(node.name, snapshot)

    def led(self, node: SimNode, term: int) -> None:
        """A member became leader."""
        self.checks.leader(node.name, term)

    # Time.

    def run(self, seconds: float) -> None:
        """Let time pass. Whatever goes wrong is told with the world around it."""
        try:
            self.clockwork.run_until(
                self.clockwork.now_us + int(seconds * SECOND_US), after_each=lambda: None
            )
        except Exception as problem:
            oracle = problem.oracle if isinstance(problem, Broken) else ""
            raise self.broken(f"{type(problem).__name__}: {problem}", oracle) from problem

    def broken(self, what: str, oracle: str = "") -> Broken:
        """A failure with all that helps to find its cause; oracle: who saw it."""
        return Broken(
            f"{what}\n\n"
            f"seed {self.seed}, {len(self.nodes)} members, at "
            f"{self.clockwork.now_us / SECOND_US:.4f} s (again: make sim SEED={self.seed})\n"
            f"faults so far: {self.faults}\n\n{self._picture()}\n\nlast events:\n"
            + "\n".join(self.clockwork.last_notes),
            oracle=oracle,
        )

    def heal(self) -> None:
        """End all faults; everybody runs."""
        self.network.heal()
        self.disk_faults.heal()
        self.slow_disk = 0.0
        for node in self.nodes:
            node.disk.crash_at = None
            node.pace, node.skew_ms, node.stall_us = 1.0, 0, 0
            newest = max(other.speaks for other in self.nodes)
            if node.speaks < newest:
                node.change_build(newest)
            if node.paused:
                node.kill()
            node.start()

    def settle(self, seconds: float = CONVERGED_WITHIN_S) -> None:
        """After healing: everybody applies everything; raises Broken if they don't in time."""
        end_us = self.clockwork.now_us + int(seconds * SECOND_US)
        while self.clockwork.now_us < end_us:
            self.run(LOOKED_EVERY_S)
            if self.checks.liveness.hindrance(self.nodes, self.nodes) is None:
                return
        self._told(lambda: self.checks.liveness.converged(self.nodes, self.nodes))

    def finish(self) -> None:
        """After all of it: everybody serves again, and the clients' history holds."""
        calls = self.checks.liveness.ask(self.nodes)
        self.run(SERVED_WITHIN_S)
        self._told(lambda: self.checks.liveness.served(calls))
        self._told(lambda: self.checks.history(self.history))

    def _told(self, check: Callable[[], None]) -> None:
        """Whatever goes wrong is told with the world around it."""
        try:
            check()
        except Broken as problem:
            raise self.broken(str(problem), problem.oracle) from problem

    def _picture(self) -> str:
        lines = []
        for node in self.nodes:
            if node.driver is None:
                lines.append(f"{node.name} is dead")
                continue
            s = node.driver.status("sim", {})
            lines.append(
                f"{node.name} {s.state} {s.role} term {s.term} leader {s.leader} commit "
                f"{s.commit_offset} applied {s.applied_offset} last {s.last_offset} durable "
                f"{s.durable_offset} waits {[w.code for w in node.driver.waits()]} "
                f"members {[(m.id[:4], m.role, m.match_offset, m.alive) for m in s.members]} "
                f"target {s.target} joint {s.joint}"
            )
        return "\n".join(lines)


def _once(answered: Any) -> Any:
    done = False

    def reply(result: Any) -> None:
        nonlocal done
        if not done:
            done = True
            answered(result)

    return reply
