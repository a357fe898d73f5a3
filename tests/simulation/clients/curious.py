"""Somebody who asks a cluster how it is, all the time: a dashboard, an operator that plans.

Decides: what is asked. Must not know: what becomes of it; an answer must come, and make sense.
Read next: client.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from replog.wire.codes import WAITS
from replog.wire.problems import ApiError
from replog.wire.schemas import MayStop, MemberAddress, TargetPlan, TargetRequest
from replog_node.driver.calls import Plan, StopQuestion
from tests.simulation.clients.client import Client
from tests.simulation.oracles.oracle import Broken

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from tests.simulation.node import SimNode


KNOWN: Final = frozenset(row.code for row in WAITS)


class Curious(Client):
    """Asks for status and waits, whether a member may stop, and what a target would do."""

    def act(self) -> None:
        node = self.someone()
        if node is not None:
            node.do(lambda driver: self._look(node, driver))
            self._question(node)
        self._again()

    def _look(self, node: SimNode, driver: Driver) -> None:
        status = driver.status("sim", {})
        unknown = [wait.code for wait in driver.waits() if wait.code not in KNOWN]
        if unknown:
            raise Broken(
                f"{node.name} waits for {unknown}, which no document names", oracle="waits"
            )
        if driver.kernel.core is None:
            return  # removed, or not begun: how far it once had committed isn't known
        if status.applied_offset > status.commit_offset:
            raise Broken(f"{node.name} tells {status}", oracle="status")
        for what in ("read", "write"):
            hindrance = driver.ready(what)
            if hindrance is not None and hindrance not in KNOWN:
                raise Broken(f"{node.name} isn't ready for {hindrance}", oracle="waits")

    def _question(self, node: SimNode) -> None:
        random, nodes = self.world.clockwork.random, self.world.nodes
        if random.random() < 0.5:
            question: Any = StopQuestion(random.choice(nodes).member)
        else:
            some = random.sample(nodes, random.randint(1, len(nodes)))
            members = [MemberAddress(each.member, each.address) for each in some]
            offset = (
                -1 if node.driver is None else node.driver.status("sim", {}).configuration_offset
            )
            question = Plan(TargetRequest(members, f"asked-{self.count}", offset, dry_run=True))
        reply, deadline_s = self.once(node, self._answered), self.deadline_s(node)
        node.do(lambda driver: driver.call(question, reply, deadline_s=deadline_s))

    def _answered(self, result: object) -> None:
        if isinstance(result, ApiError):
            self.world.history.refused(result)
        elif not isinstance(result, MayStop | TargetPlan):
            raise Broken(f"{self.name} was answered {result}", oracle="questions")
