"""What is to be seen of a member from outside, after one of its turns.

Decides: nothing. Must not know: what must hold.
Read next: ../checks.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.configuration import Configuration
    from replog_node.model.entries import Tail
    from replog_node.model.positions import Position

LEADER = "leader"


class View(NamedTuple):
    """tail: the end of its log, durable or not; start: the position behind which it begins.

    log_start: the first retained offset, as far as it has applied. first_hole: as its core knows.
    """

    term: int
    role: str
    commit: Position
    tail: Tail
    start: Position
    applied: int
    log_start: int
    configuration: Configuration | None
    first_hole: int | None = None

    @property
    def leads(self) -> bool:
        """Whether it believes that it leads."""
        return self.role == LEADER


def look(driver: Driver) -> View | None:
    """Look at a member; None while it belongs to no cluster."""
    kernel = driver.kernel
    core = kernel.core
    if core is None:
        return None
    applied = driver.applied
    return View(
        core.term, core.role, kernel.committed, core.tail, core.start,
        applied.offset, applied.log_start, core.configuration, core.disk.first_hole,
    )  # fmt: skip
