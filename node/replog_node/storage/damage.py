"""What a store tells of the damage in its log, at one moment.

Decides: nothing. Must not know: who acts on it.
Read next: summary.py (Hole), repair.py, ../driver/repair.py.
"""

import msgspec

from replog_node.model.positions import Position
from replog_node.raft.events import LogBounds
from replog_node.storage.summary import Hole


class Damage(msgspec.Struct, frozen=True):
    """holes: ascending. unproven: see LogBounds. log: exact if there are no holes."""

    holes: tuple[Hole, ...]
    unproven: Position | None
    log: LogBounds
