"""How a member shows its log to a caller: what adapters/service.py does, in virtual time.

Decides: nothing of its own. Must not know: what is read of it, whether it is right.
Read next: readers.py, ../../../node/replog_node/adapters/service.py.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from typing import TYPE_CHECKING

from replog.wire.problems import ApiError
from replog_node.driver.view import ReadView
from replog_node.model.positions import Offset
from tests.simulation.clients.client import TIMEOUT_S, Client

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.entries import Entry
    from tests.simulation.node import SimNode

Got = Callable[[ReadView | ApiError], None]
Found = Callable[[int | ApiError], None]


def later(node: SimNode, turn: Callable[[Driver], None]) -> None:
    """Go on in a turn of its own, unless the process has died by then."""
    life = node.life
    node.world.clockwork.after(0, lambda: node.do(turn) if node.life == life else None)


def local(driver: Driver) -> ReadView | ApiError:
    """What this member knows."""
    return driver.membership.refusal() or _view(driver, driver.staleness_ms)


def bounded(client: Client, node: SimNode, bound_ms: int, got: Got) -> None:
    """What was confirmed within the bound; asked for now, if need be and while it helps."""

    def begin(driver: Driver) -> None:
        refusal = driver.membership.refusal()
        if refusal is not None:
            got(refusal)
        elif _age_ms(driver) <= bound_ms:
            judge(driver)
        else:
            deadline_s = driver.clock.monotonic_s() + min(TIMEOUT_S, bound_ms / 1000)
            driver.read_index(client.once(node, confirmed), deadline_s=deadline_s)
            node.flush_soon()

    def confirmed(result: Offset | ApiError) -> None:
        if isinstance(result, ApiError) and result.code != "read_unconfirmed":
            got(result)
        else:
            later(node, judge)

    def judge(driver: Driver) -> None:
        age_ms = _age_ms(driver)
        got(_too_stale(age_ms) if age_ms > bound_ms else _view(driver, ceil(age_ms)))

    node.do(begin)


def _view(driver: Driver, staleness_ms: int) -> ReadView:
    return ReadView(driver.log_start, driver.applied.offset + 1, staleness_ms)


def _age_ms(driver: Driver) -> float:
    confirmed_s = driver.confirmed_s
    return inf if confirmed_s is None else (driver.clock.monotonic_s() - confirmed_s) * 1000


def _too_stale(age_ms: float) -> ApiError:
    known = None if age_ms == inf else ceil(age_ms)
    return ApiError("read_too_stale", "no confirmation is young enough", staleness_ms=known)


def at_time(node: SimNode, view: ReadView, time_ms: int, found: Found) -> None:
    """The first offset of the view that was appended then or later: halving, a page a step."""

    def step(low: int, high: int) -> None:
        if low >= high:
            found(max(low, view.log_start_offset))
            return
        middle = (low + high) // 2

        def read(entries: tuple[Entry, ...] | ApiError) -> None:
            if isinstance(entries, ApiError):
                found(entries)
            elif entries and entries[0].append_time_ms < time_ms:
                later(node, lambda _: step(entries[0].last + 1, high))
            else:
                end = min(middle, entries[0].base) if entries else middle
                later(node, lambda _: step(low, end))

        node.do(lambda driver: driver.read_entries(Offset(middle), 1, read))

    step(view.log_start_offset, view.end_offset)
