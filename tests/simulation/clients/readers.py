"""Clients that read: at any member, as fresh as they like, from anywhere in the log.

Decides: what they read, and where. Must not know: whether it was right (../oracles/).
Read next: views.py, ../oracles/linearizable.py, ../oracles/stale_reads.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replog.wire.problems import ApiError
from replog_node.driver.view import ReadView
from replog_node.model.positions import Offset
from tests.simulation.clients import views
from tests.simulation.clients.client import Client
from tests.simulation.clients.history import ReadDone, Viewed

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.entries import Entry
    from tests.simulation.node import SimNode

PAGE_BYTES: Final = 4096
PAGES_MAX: Final = 2
BOUNDS_MS: Final = (20, 100, 500, 3000)


class Reader(Client):
    """Reads now linearizably, now what a member has, and pages of what it was shown."""

    def act(self) -> None:
        node = self.someone()
        if node is not None:
            kind = self.world.clockwork.random.random()
            if kind < 0.55:
                self._linearizable(node)
            elif kind < 0.7:
                self._bounded(node)
            else:
                node.do(lambda driver: self._local(node, driver))
        self._again()

    # Views.

    def _linearizable(self, node: SimNode) -> None:
        began_us = self.world.clockwork.now_us

        def answered(result: Offset | ApiError) -> None:
            if isinstance(result, ApiError):
                self.world.history.refused(result)
                return
            now_us = self.world.clockwork.now_us
            self.world.history.reads.append(ReadDone(began_us, now_us, result, node.name))
            views.later(node, lambda driver: self._pages(node, driver.log_start, result + 1))

        reply, deadline_s = self.once(node, answered), self.deadline_s(node)
        node.do(lambda driver: driver.read_index(reply, deadline_s=deadline_s))
        node.flush_soon()

    def _bounded(self, node: SimNode) -> None:
        bound_ms = self.world.clockwork.random.choice(BOUNDS_MS)
        views.bounded(self, node, bound_ms, lambda got: self._shown(node, got, bound_ms))

    def _local(self, node: SimNode, driver: Driver) -> None:
        view = views.local(driver)
        self._shown(node, view, None)
        if isinstance(view, ApiError) or _holds_back(node):
            return
        if self.world.clockwork.random.random() < 0.3:
            self._from_time(node, view)

    def _shown(self, node: SimNode, view: ReadView | ApiError, bound_ms: int | None) -> None:
        if isinstance(view, ApiError):
            self.world.history.refused(view)
            return
        start, end = view.log_start_offset, view.end_offset
        now_us = self.world.clockwork.now_us
        seen = Viewed(node.name, node.life, now_us, bound_ms, start, end, view.staleness_ms)
        self.world.history.views.append(seen)
        self.world.checks.viewed(seen)
        views.later(node, lambda _: self._pages(node, start, end))

    # What they read of it.

    def _pages(self, node: SimNode, start: int, end: int) -> None:
        """From somewhere, from the log's start on, or from what may be trimmed."""
        random = self.world.clockwork.random
        if end <= start:
            return
        at = random.choice((start, max(0, start - 1), *(random.randrange(start, end),) * 4))
        self._page(node, at, end, random.randint(1, PAGES_MAX))

    def _page(self, node: SimNode, at: int, end: int, pages: int) -> None:
        def read(entries: tuple[Entry, ...] | ApiError) -> None:
            if isinstance(entries, ApiError):
                self._refused(node, at, entries)
                return
            self.world.history.pages += 1
            self.world.checks.page(node.name, at, entries)
            behind = entries[-1].last + 1 if entries else end
            if pages > 1 and behind < end:
                views.later(node, lambda _: self._page(node, behind, end, pages - 1))

        node.do(lambda driver: driver.read_entries(Offset(at), PAGE_BYTES, read))

    def _refused(self, node: SimNode, at: int, refusal: ApiError) -> None:
        self.world.history.refused(refusal)
        if refusal.code == "offset_trimmed":
            self.world.checks.trimmed(node.name, at, refusal.extra["log_start_offset"])

    def _from_time(self, node: SimNode, view: ReadView) -> None:
        random, log = self.world.clockwork.random, self.world.checks.committed
        if not log:
            return
        time_ms = random.choice(log).append_time_ms + random.randint(-1, 1)

        def found(offset: int | ApiError) -> None:
            if isinstance(offset, ApiError):
                self.world.history.refused(offset)
            elif not _holds_back(node):
                self.world.history.times += 1
                self.world.checks.from_time(node.name, view, time_ms, offset)

        views.at_time(node, view, time_ms, found)


def _holds_back(node: SimNode) -> bool:
    """Whether a member takes no part because holes are filled: it shows how far it is, no entry."""
    return node.driver is None or node.driver.kernel.core is None
