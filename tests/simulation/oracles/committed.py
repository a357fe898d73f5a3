"""The committed log, as the first member to apply each entry showed it.

Decides: nothing. Must not know: who asks.
Read next: machine.py, which fills it.
"""

from bisect import bisect_left

from replog.wire.batches import records_of
from replog_node.frames.decode import data_batches
from replog_node.model.entries import Entry


class CommittedLog:
    """entries: all that was ever applied anywhere, without a gap, from the first on."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._values: dict[bytes, list[int]] = {}
        self._valued = 0

    @property
    def end(self) -> int:
        """The offset after the last one."""
        return self.entries[-1].last + 1 if self.entries else 0

    def at(self, base: int) -> Entry | None:
        """The entry that begins at this offset."""
        place = bisect_left(self.entries, base, key=_base)
        found = self.entries[place] if place < len(self.entries) else None
        return found if found is not None and found.base == base else None

    def values(self) -> dict[bytes, list[int]]:
        """Every value of a data record, with the offsets at which it lies."""
        for entry in self.entries[self._valued :]:
            for batch in data_batches(entry):
                for record in records_of(bytes(batch)):
                    value = bytes(record.value or b"")
                    self._values.setdefault(value, []).append(record.offset)
        self._valued = len(self.entries)
        return self._values


def _base(entry: Entry) -> int:
    return entry.base
