"""What must be true after every step, and what the clients' history must show at the end.

Decides: the invariants (paper figure 3; design sections 2 and 6).
Must not know: how the system works; it reads terms, logs, states and answers only.
Read next: world.py.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from replog.wire.batches import records_of
from replog_node.frames.decode import data_batches

if TYPE_CHECKING:
    from replog_node.model.entries import Entry
    from replog_node.model.snapshots import SnapshotMeta
    from tests.simulation.clients import Attempt, History
    from tests.simulation.world import World


class Broken(AssertionError):
    """An invariant doesn't hold: the text says which, when and where."""


class Checks:
    """What is known to be committed, and by whom it was seen."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.committed: list[Entry] = []
        self._leaders: dict[int, str] = {}
        self._digests: dict[int, bytes] = {}
        self.snapshots: dict[int, SnapshotMeta] = {}

    def leader(self, node: str, term: int) -> None:
        """Election safety: at most one leader a term."""
        if self._leaders.setdefault(term, node) != node:
            raise Broken(f"term {term} has two leaders, {self._leaders[term]} and {node}")

    def applied(self, node: str, entry: Entry) -> None:
        """State machine safety: whatever is applied at an offset is the same everywhere."""
        known = self._at(entry.base)
        if known is None:
            end = self.committed[-1].last + 1 if self.committed else 0
            if entry.base != end:
                raise Broken(f"{node} applied {entry.base} although {end} is next")
            self.committed.append(entry)
        elif known.frame != entry.frame:
            raise Broken(f"{node} applied another entry at {entry.base} than was applied before")

    def page(self, node: str, at: int, entries: tuple[Entry, ...]) -> None:
        """A page of a read holds what is committed there, from the entry that holds `at` on."""
        found = bool(entries) and entries[0].base <= at <= entries[0].last
        if not found and self.committed and at <= self.committed[-1].last:
            raise Broken(f"{node} gave {len(entries)} entries for a page at {at}")
        for entry in entries:
            known = self._at(entry.base)
            if known is not None and known.frame != entry.frame:
                raise Broken(f"{node} gave an entry at {entry.base} that is not the committed one")

    def _at(self, base: int) -> Entry | None:
        low, high = 0, len(self.committed)
        while low < high:
            middle = (low + high) // 2
            if self.committed[middle].base < base:
                low = middle + 1
            else:
                high = middle
        if low < len(self.committed) and self.committed[low].base == base:
            return self.committed[low]
        return None

    def state(self, node: str, offset: int, digest: bytes) -> None:
        """Equal state at equal offset."""
        if self._digests.setdefault(offset, digest) != digest:
            raise Broken(f"{node} has another state at {offset} than another member had")

    def snapshot(self, node: str, snapshot: SnapshotMeta) -> None:
        """Equal snapshots at equal offsets."""
        at = snapshot.position.offset
        if self.snapshots.setdefault(at, snapshot) != snapshot:
            raise Broken(f"{node} built another snapshot at {at} than another member did")

    def values(self) -> dict[bytes, list[int]]:
        """Every value in the committed log, with its offsets."""
        found: dict[bytes, list[int]] = {}
        for entry in self.committed:
            for batch in data_batches(entry):
                for record in records_of(bytes(batch)):
                    found.setdefault(bytes(record.value or b""), []).append(record.offset)
        return found

    def history(self, history: History) -> None:
        """Nothing acknowledged is lost or doubled, nothing refused happened, no read was stale."""
        values = self.values()
        for attempt in history.attempts:
            self._attempt(attempt, [values.get(value, []) for value in attempt.values])
        self._conditions(history, values)
        self._real_time(history)
        self._reads(history)
        self._session_order(history, values)

    def _attempt(self, attempt: Attempt, found: list[list[int]]) -> None:
        """A batch is in the log whole and once, where it was said to be, or not at all."""
        name = attempt.values[0].decode()
        offsets = [offset for places in found for offset in places]
        if any(len(places) > 1 for places in found):
            raise Broken(f"{name} is in the log at {offsets}")
        if offsets and offsets != list(range(offsets[0], offsets[0] + len(attempt.values))):
            raise Broken(f"{name} lies in pieces: {offsets} of {len(attempt.values)}")
        if attempt.outcome == "applied" and (
            not offsets or set(attempt.told) != {offsets[0]} or attempt.offset != offsets[0]
        ):
            raise Broken(f"{name} was told {attempt.told}, the log has {offsets}")
        if attempt.outcome == "none" and offsets:
            raise Broken(f"{name} was told none, the log has {offsets}")
        if attempt.resolved is not None and attempt.resolved != bool(offsets):
            raise Broken(f"{name} was resolved as {attempt.resolved}, the log has {offsets}")

    def _conditions(self, history: History, values: dict[bytes, list[int]]) -> None:
        """A conditional append lies directly behind the record that it named."""
        records = sorted(offset for places in values.values() for offset in places)
        for attempt in history.attempts:
            offsets = values.get(attempt.values[0], [])
            if attempt.behind is not None and offsets:
                place = bisect_left(records, offsets[0])
                before = records[place - 1] if place else -1
                if before != attempt.behind:
                    raise Broken(f"{attempt.values[0]!r} lies behind {before}: {attempt.behind}")

    def _real_time(self, history: History) -> None:
        """An append that began after another was acknowledged lies behind it."""
        ended = sorted(
            (a.ended_us, a.last) for a in history.attempts
            if a.outcome == "applied" and a.ended_us is not None
        )  # fmt: skip
        begun = sorted((a.began_us, a.offset) for a in history.attempts if a.offset is not None)
        highest, place = -1, 0
        for began_us, offset in begun:
            while place < len(ended) and ended[place][0] < began_us:
                highest = max(highest, ended[place][1])
                place += 1
            if offset < highest:
                raise Broken(f"the append at {offset} began after {highest} was acknowledged")

    def _reads(self, history: History) -> None:
        """A linearizable read sees everything that was acknowledged or read before it began."""
        told = [
            (a.ended_us, a.last) for a in history.attempts
            if a.outcome == "applied" and a.ended_us is not None
        ]  # fmt: skip
        told += [(read.ended_us, read.index) for read in history.reads]
        told.sort()
        highest, place = -1, 0
        for read in sorted(history.reads, key=lambda read: read.began_us):
            while place < len(told) and told[place][0] < read.began_us:
                highest = max(highest, told[place][1])
                place += 1
            if read.index < highest:
                raise Broken(f"{read.node} read up to {read.index} after {highest} was known")

    def _session_order(self, history: History, values: dict[bytes, list[int]]) -> None:
        """The records of one session lie in the order in which they were written."""
        last: dict[str, int] = {}
        for attempt in history.attempts:
            offsets = values.get(attempt.values[0], [])
            if attempt.session and offsets:
                if offsets[0] < last.get(attempt.session, -1):
                    raise Broken(f"{attempt.values[0]!r} lies before its predecessor")
                last[attempt.session] = offsets[0]
