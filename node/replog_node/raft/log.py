"""The log as the core knows it: who wrote which range, and the newest entries themselves.

Decides: whether a position is in the log, where two logs may agree, what a new suffix cuts off,
what is durable, where the log begins, which configuration is in force.
The log is kept as ranges of terms, not as entries. That is enough to match, since all entries of
a term come from one leader that never cut its own log: equal (term, offset) is the same entry,
and the end of one member's term is an entry end in every log that reaches that far.
A log may begin at `start`, the end of an entry that a snapshot holds (paper, section 7): start
itself can be matched, nothing below it can; all of that is committed.
Must not know: roles, messages, frames.
Read next: quorum.py, progress.py.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ORIGIN, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.events import LogBounds
from replog_node.raft.violation import InvariantViolation

_COMPACT_AT = 1024
"""Evicted slots at the cache's head before the lists are shortened (amortizes the copy), unless
they hold many bytes."""

_COMPACT_PART = 8
"""So many evicted bytes are a part of what the cache may hold, one such part at most."""


class Log:
    """A member's log, behind `start`. `tail` is its end; `durable` what the disk has of it.

    Grows with the number of terms (two integers each) and by the bounded cache.
    """

    def __init__(self, bounds: LogBounds) -> None:
        self.tail: Tail = bounds.tail
        self.durable: Position = bounds.tail.position
        self._terms: list[Term] = [term for term, _ in bounds.term_starts]
        self._starts: list[Offset] = [start for _, start in bounds.term_starts]
        self._configurations: list[tuple[Offset, Configuration]] = _known(bounds)
        self._writing: deque[tuple[int, Position]] = deque()
        self._entries: list[Entry] = []
        self._bases: list[Offset] = []
        self._head = 0
        self._evicted_bytes = 0
        self.cached_bytes = 0
        self.start: Position = ORIGIN
        self._begin_at(bounds.start)

    # --- where it begins -------------------------------------------------------------------

    def _begin_at(self, start: Position) -> None:
        """Keep nothing at or below start but its own position, as the first range's beginning."""
        self.start = start
        if start == ORIGIN:
            return
        below = bisect_right(self._starts, start.offset)
        self._terms[:below] = [start.term]
        self._starts[:below] = [start.offset]

    def release(self, start: Position) -> None:
        """The disk has let go of everything at or below start; never back."""
        if start.offset <= self.start.offset:
            return
        if not self.has(start):
            raise InvariantViolation(f"let go up to {start}, which isn't in the log to {self.last}")
        self._begin_at(start)

    def install(self, snapshot: SnapshotMeta) -> None:
        """Begin anew behind a snapshot; durable once its ticket is.

        Writes under way before it don't count any more: what they write is replaced.
        """
        self._terms, self._starts = [], []
        self._begin_at(snapshot.position)
        self._configurations = [(snapshot.configuration_offset, snapshot.configuration)]
        self._entries, self._bases = [], []
        self._head = self._evicted_bytes = self.cached_bytes = 0
        self._writing.clear()
        self.tail, self.durable = snapshot.tail, ORIGIN

    # --- positions -------------------------------------------------------------------------

    @property
    def last(self) -> Position:
        """The end of the last entry."""
        return self.tail.position

    def term_at(self, offset: Offset) -> Term | None:
        """The term of the entry that holds `offset`; None outside of the log, never a guess.

        A lookup that answered 0 for an unknown offset once passed the match check (etcd-raft
        bd3c759's neighbour 76f1249).
        """
        if offset == self.start.offset:
            return self.start.term
        if not self.start.offset < offset <= self.last.offset:
            return None
        if offset >= self._starts[-1]:
            return self._terms[-1]
        return self._terms[bisect_right(self._starts, offset) - 1]

    def has(self, position: Position) -> bool:
        """Whether the entry that ends at `position` is in this log (paper 5.3, the check)."""
        return self.term_at(position.offset) == position.term

    def agreeing_at(self, position: Position) -> Position:
        """The highest entry end of this log that a log which ends at `position` may also hold.

        That log holds no term above position.term, so neither can the part in common. Both sides
        ask this in turn, hence a probe skips a whole term per round (paper 5.3, end). Nothing
        below start can be told: the answer is start then, and whoever asks there hears whether.
        """
        index = bisect_right(self._terms, position.term) - 1
        if index >= 0 and self._terms[index] == position.term:
            if position.offset >= self._starts[index]:
                return Position(position.term, min(self._end(index), position.offset))
            index -= 1
        return self.start if index < 0 else Position(self._terms[index], self._end(index))

    def position_at(self, offset: Offset) -> Position:
        """The position of an entry end; the offset must be in the log."""
        term = self.term_at(offset)
        if term is None:
            raise InvariantViolation(f"offset {offset} isn't in the log {self.start}…{self.last}")
        return Position(term, offset)

    def _end(self, index: int) -> Offset:
        if index + 1 < len(self._starts):
            return Offset(self._starts[index + 1] - 1)
        return self.last.offset

    # --- growing and cutting ---------------------------------------------------------------

    def append(self, entry: Entry) -> None:
        """Add the entry that follows the tail."""
        if entry.base != self.last.offset + 1 or entry.term < self.last.term:
            raise InvariantViolation(
                f"entry {entry.base}..{entry.last} of term {entry.term} can't follow {self.last}"
            )
        if not self._terms or entry.term != self._terms[-1]:
            self._terms.append(entry.term)
            self._starts.append(entry.base)
        self._entries.append(entry)
        self._bases.append(entry.base)
        self.cached_bytes += entry.size_bytes
        if entry.configuration is not None:
            self._configurations.append((entry.last, entry.configuration))
        self.tail = Tail(entry.position, entry.chain, entry.append_time_ms)

    def missing(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Of consecutive entries, those from the first one on that this log doesn't have."""
        for index, entry in enumerate(entries):
            if not self.has(entry.position):
                return entries[index:]
        return ()

    def splice(self, entries: Sequence[Entry]) -> Position | None:
        """Append entries after cutting off what lies in their place; returns where it was cut.

        The caller has checked that nothing committed is cut and that the first one is missing.
        """
        cut_to: Position | None = None
        if entries[0].base <= self.last.offset:
            cut_to = self.position_at(Offset(entries[0].base - 1))
            self._cut(cut_to)
        for entry in entries:
            self.append(entry)
        return cut_to

    def _cut(self, to: Position) -> None:
        while self._starts and self._starts[-1] > to.offset:
            self._starts.pop()
            self._terms.pop()
        while self._configurations and self._configurations[-1][0] > to.offset:
            self._configurations.pop()
        while len(self._entries) > self._head and self._bases[-1] > to.offset:
            self._bases.pop()
            self.cached_bytes -= self._entries.pop().size_bytes
        # Chain and time of the new end may be unknown; the entry that is appended next has them.
        self.tail = Tail(to, b"", 0)
        self.durable = min(self.durable, to, key=_offset)
        # A write under way may still finish; of it only what wasn't overwritten counts
        # (etcd-raft, async_storage_writes_append_aba_race).
        self._writing = deque((t, min(end, to, key=_offset)) for t, end in self._writing)

    # --- durability ------------------------------------------------------------------------

    def writing(self, ticket: int) -> None:
        """The log up to its present end is on its way to disk under this ticket."""
        self._writing.append((ticket, self.last))

    def persisted(self, ticket: int) -> None:
        """The writes up to this ticket are done; late and doubled answers change nothing."""
        while self._writing and self._writing[0][0] <= ticket:
            _, end = self._writing.popleft()
            self.durable = max(self.durable, end, key=_offset)

    def ticket_for(self, offset: Offset) -> int:
        """The ticket after which `offset` is durable; 0 when it is already."""
        if offset <= self.durable.offset:
            return 0
        ticket = 0
        for candidate, end in reversed(self._writing):
            if end.offset < offset:
                break
            ticket = candidate
        return ticket

    # --- entries in memory -----------------------------------------------------------------

    def recent(self, at: Offset, max_bytes: int | None = None) -> Sequence[Entry] | None:
        """The cached entries from the one that holds `at` on; () past the end, None if too old.

        max_bytes: at least one entry, then while they fit; without it, all.
        """
        index = self._index(at)
        if index is None:
            return None
        return self._entries[index:] if max_bytes is None else self._fitting(index, max_bytes)

    def after(self, offset: Offset, max_bytes: int) -> tuple[Entry, ...] | None:
        """Entries after this entry end: at least one, more while they fit; () if there is none.

        None: they are no longer in memory.
        """
        index = self._index(Offset(offset + 1))
        return None if index is None else self._fitting(index, max_bytes)

    def _fitting(self, index: int, max_bytes: int) -> tuple[Entry, ...]:
        """Entries from this slot on: at least one if there is any, more while they fit."""
        end, size = index, 0
        for end in range(index, len(self._entries)):
            size += self._entries[end].size_bytes
            if size > max_bytes and end > index:
                return tuple(self._entries[index:end])
        return tuple(self._entries[index : end + 1])

    def evict(self, commit: Offset, cache_bytes: int) -> None:
        """Let go of the oldest cached entries above the limit that are committed and durable."""
        safe = min(commit, self.durable.offset)
        while self.cached_bytes > cache_bytes and self._entries[self._head].last <= safe:
            size_bytes = self._entries[self._head].size_bytes
            self.cached_bytes -= size_bytes
            self._evicted_bytes += size_bytes
            self._head += 1
            if self._head == len(self._entries):
                break
        many = self._head >= _COMPACT_AT and self._head * 2 >= len(self._entries)
        if self._head and (many or self._evicted_bytes >= cache_bytes // _COMPACT_PART):
            del self._entries[: self._head]
            del self._bases[: self._head]
            self._head = self._evicted_bytes = 0

    def _index(self, at: Offset) -> int | None:
        if at > self.last.offset:
            return len(self._entries)
        index = bisect_right(self._bases, at, self._head) - 1
        return index if index >= self._head else None

    # --- configurations --------------------------------------------------------------------

    @property
    def configuration(self) -> Configuration | None:
        """The configuration in force: the last in the log, committed or not (paper, section 6)."""
        return self._configurations[-1][1] if self._configurations else None

    @property
    def configuration_offset(self) -> Offset:
        """The end of the entry that holds it; -1 without one."""
        return self._configurations[-1][0] if self._configurations else ORIGIN.offset

    @property
    def configurations(self) -> Sequence[tuple[Offset, Configuration]]:
        """The configurations kept, oldest first."""
        return self._configurations

    def forget_configurations(self, commit: Offset) -> None:
        """Drop those that no truncation can bring back, but the last two committed ones."""
        while len(self._configurations) > 2 and self._configurations[2][0] <= commit:
            del self._configurations[0]


def _known(bounds: LogBounds) -> list[tuple[Offset, Configuration]]:
    """The configurations in the log, and the base's, whose record the log may have let go of."""
    known = dict(bounds.configurations)
    if bounds.base is not None:
        known.setdefault(bounds.base.configuration_offset, bounds.base.configuration)
    return sorted(known.items(), key=lambda item: item[0])


def _offset(position: Position) -> Offset:
    return position.offset
