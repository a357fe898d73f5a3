"""Clients that read.

Decides: what they read, and where. Must not know: whether it was right (../oracles/).
Read next: ../oracles/linearizable.py, ../oracles/frames.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replog.wire.problems import ApiError
from replog_node.model.positions import Offset
from tests.simulation.clients.client import Client, deadline_s
from tests.simulation.clients.history import ReadDone

if TYPE_CHECKING:
    from replog_node.model.entries import Entry
    from tests.simulation.node import SimNode


class Reader(Client):
    """Asks for linearizable reads, anywhere, and reads a page below what it was told."""

    def act(self) -> None:
        node = self.someone()
        if node is not None:
            self._read(node)
        self._again()

    def _read(self, node: SimNode) -> None:
        began_us = self.world.clockwork.now_us

        def answered(result: Offset | ApiError) -> None:
            if isinstance(result, ApiError):
                self.world.history.refused(result)
                return
            now_us = self.world.clockwork.now_us
            self.world.history.reads.append(ReadDone(began_us, now_us, result, node.name))
            at = Offset(self.world.clockwork.random.randint(0, result))
            life = node.life
            self.world.clockwork.after(
                0, lambda: self._page(node, at) if node.life == life else None
            )

        reply = self.once(node, answered)
        node.do(lambda driver: driver.read_index(reply, deadline_s=deadline_s(driver)))
        node.flush_soon()

    def _page(self, node: SimNode, at: Offset) -> None:
        def read(entries: tuple[Entry, ...] | ApiError) -> None:
            if isinstance(entries, ApiError):
                self.world.history.refused(entries)
                return
            self.world.history.pages += 1
            self.world.checks.page(node.name, at, entries)

        node.do(lambda driver: driver.read_entries(at, 4096, read))
