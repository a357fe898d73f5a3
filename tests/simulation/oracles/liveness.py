"""Liveness: once enough is healed, the cluster converges and serves, within a bound.

Asked of the healed members only; the others may stay as they are, dead, cut off, slow or full. A
majority of the voters must be among the healed, of both halves while joint; anybody may lead.

Converged: one leads, all healed members follow it in its term and have applied the whole log, and
the membership is where it was meant to go, unless that needs somebody who isn't healed. Served: an
append and a linearizable read at every healed member end well.

Decides: that, and the bounds. Must not know: how anything is healed (../world.py).
Read next: ../world.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from replog.wire.batches import NewRecord, build_batch
from replog.wire.problems import ApiError
from tests.simulation.oracles.oracle import Oracle

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.configuration import Configuration
    from tests.simulation.node import SimNode

CONVERGED_WITHIN_S: Final = 30.0
"""Simulated seconds from healing: elections, a snapshot fetched in pieces, membership changes."""

LOOKED_EVERY_S: Final = 0.5

SERVED_WITHIN_S: Final = 4.0
"""Simulated seconds from the call, in a cluster that has converged."""


class Call(NamedTuple):
    """A call that was made of a member, and how often it was answered with what."""

    what: str
    answers: list[Any]


class Liveness(Oracle):
    """Looks at members after healing."""

    name = "liveness"

    def hindrance(self, healed: Sequence[SimNode], everybody: Sequence[SimNode]) -> str | None:
        """What hinders these members from having converged; None: nothing."""
        dead = [node.name for node in healed if node.driver is None or node.paused]
        if dead:
            return f"{dead} don't run"
        leader = _leader(everybody)
        if leader is None:
            return "nobody leads"
        configuration = leader.kernel.configuration()
        core = leader.kernel.core
        if configuration is None or core is None:
            return "there is no configuration"
        members = {member.id for member in configuration.members}
        following = [node for node in healed if node.member in members]
        on_its_way = _on_its_way(configuration, {node.member for node in healed})
        if on_its_way is not None:
            return on_its_way
        last = core.tail.position.offset
        if leader.kernel.committed.offset != last:
            return f"of {last} only {leader.kernel.committed.offset} is committed"
        behind = [node.name for node in following if not _follows(node.driver, leader, last)]
        return f"{behind} haven't applied {last} in term {core.term}" if behind else None

    def converged(self, healed: Sequence[SimNode], everybody: Sequence[SimNode]) -> None:
        """The time is over: they must have converged."""
        hindrance = self.hindrance(healed, everybody)
        if hindrance is not None:
            raise self.broken(f"not converged {CONVERGED_WITHIN_S} s after healing: {hindrance}")

    def ask(self, healed: Sequence[SimNode]) -> list[Call]:
        """Ask each of them that is a member of the cluster for an append and a read."""
        calls: list[Call] = []
        for node in healed:
            driver = node.driver
            if driver is None or driver.membership.refusal() is not None:
                continue
            append, read = Call(f"an append at {node.name}", []), Call(f"a read at {node.name}", [])
            calls += [append, read]
            deadline_s = driver.clock.monotonic_s() + SERVED_WITHIN_S - 1
            batch = build_batch([NewRecord(f"after-{node.name}".encode())])
            driver.append(batch, append.answers.append, deadline_s=deadline_s)
            driver.read_index(read.answers.append, deadline_s=deadline_s)
            node.do(lambda driver: driver.flush())
        return calls

    def served(self, calls: Sequence[Call]) -> None:
        """The time is over: each call must have ended well, once."""
        if not calls:
            raise self.broken("nobody is left to be asked")
        for what, answers in calls:
            if len(answers) != 1 or isinstance(answers[0], ApiError):
                raise self.broken(f"{what} after healing was answered {answers}")


def _leader(everybody: Sequence[SimNode]) -> Driver | None:
    """Who leads the newest term; one that was left behind may still believe in an older one."""
    running = [node.driver for node in everybody if node.driver is not None and not node.paused]
    leading = [driver for driver in running if driver.kernel.leading]
    return max(leading, key=lambda driver: driver.kernel.term(), default=None)


def _on_its_way(configuration: Configuration, healed: set[str]) -> str | None:
    """What of the membership isn't done although the healed can do it."""
    if configuration.joint:
        return "the membership is joint"
    target = configuration.target
    if target is None:
        return "no target was set"
    wanted = {member.id for member in target.members}
    reached = wanted == set(configuration.voter_ids()) and not configuration.learners
    return None if reached or wanted - healed else "the target isn't reached"


def _follows(driver: Driver | None, leader: Driver, last: int) -> bool:
    if driver is None:
        return False
    kernel = driver.kernel
    return (
        kernel.leader == leader.kernel.member
        and kernel.term() == leader.kernel.term()
        and driver.applied.offset == last
    )
