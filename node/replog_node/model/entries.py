"""An entry of the log, and what becomes one.

Decides: what the core, the driver and the storage hand each other.
Must not know: the bytes of a frame (frames/).
Read next: raft/__init__.py.
"""

from collections.abc import Callable

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.controls import Control
from replog_node.model.positions import Offset, Position, Term


class Payload(msgspec.Struct, frozen=True):
    """What somebody wants to append: control records first, then whole record batches.

    batches: record batches v2, already checked, without their base offset and leader epoch.
    records: how many records they hold together (control records not counted).
    """

    controls: tuple[Control, ...] = ()
    batches: tuple[bytes, ...] = ()
    records: int = 0

    @property
    def count(self) -> int:
        """How many offsets the entry takes; at least 1 (empty entries don't exist)."""
        return len(self.controls) + self.records


class Entry(msgspec.Struct, frozen=True):
    """One entry of the log: one frame, never split, merged or changed after append.

    base, last: its first and last offset (inclusive). append_time_ms: log time. chain: 16 bytes
    that prove the frame's place after its predecessor. frame: all its bytes, header included.
    configuration: the last configuration among its control records, if any.
    """

    base: Offset
    last: Offset
    term: Term
    append_time_ms: int
    chain: bytes
    frame: bytes
    configuration: Configuration | None = None

    @property
    def position(self) -> Position:
        """The entry's end."""
        return Position(self.term, self.last)

    @property
    def size_bytes(self) -> int:
        """Bytes of the frame."""
        return len(self.frame)


class Tail(msgspec.Struct, frozen=True):
    """What the next entry builds upon: the last entry's end, chain and log time.

    Of an empty log: ORIGIN, the chain's seed (from the cluster id), time 0.
    """

    position: Position
    chain: bytes
    append_time_ms: int


Framer = Callable[[Payload, Term, Tail, int], Entry]
"""(payload, term, tail, append_time_ms) -> the entry that follows `tail`. Pure."""

__all__ = ["Entry", "Framer", "Offset", "Payload", "Tail"]
