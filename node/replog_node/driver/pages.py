"""Entries for those who read the log: pages for callers, and what a follower lacks.

Recent ones come from the core's memory, others from disk.

Decides: what of the found is committed as it is. Must not know: who turns pages, and why.
Read next: reading.py.
"""

from collections.abc import Sequence

from replog.wire.problems import ApiError
from replog_node.driver.answers import Reply
from replog_node.driver.kernel import Kernel
from replog_node.driver.reading import DiskReads
from replog_node.model.entries import Entry
from replog_node.model.positions import Offset
from replog_node.raft.effects import ReadEntries
from replog_node.raft.events import EntriesRead


class Pages:
    """Reads of entries, in memory or on disk."""

    def __init__(self, kernel: Kernel, disk_reads: DiskReads) -> None:
        self._kernel = kernel
        self._disk_reads = disk_reads

    def read(self, at: Offset, max_bytes: int, reply: Reply[tuple[Entry, ...]]) -> None:
        """See Driver.read_entries."""
        core = self._kernel.core
        if core is not None and at <= core.start.offset:
            first = core.start.offset + 1
            refusal = ApiError(
                "offset_trimmed", f"offset {at} is below the start of the log, {first}",
                log_start_offset=first,
            )  # fmt: skip
            reply(refusal)
            return
        if core is None or at > self._kernel.committed.offset:
            reply(())
            return
        recent = core.recent(at, max_bytes)
        if recent:
            reply(self._committed_part(recent, max_bytes))
            return

        def read(found: tuple[Entry, ...] | None) -> None:
            if found is None:
                reply(ApiError("storage_failed", f"offset {at} can't be read from this disk now"))
            else:
                reply(self._committed_part(found, max_bytes))

        self._disk_reads.ask(at, max_bytes, read)

    def read_for(self, effect: ReadEntries) -> None:
        """Read what a follower lacks; the entry that holds the offset after what it has."""

        def read(entries: tuple[Entry, ...] | None) -> None:
            self._kernel.run(EntriesRead(effect.follower, effect.after, entries or None))

        self._disk_reads.ask(Offset(effect.after.offset + 1), effect.max_bytes, read)

    def _committed_part(self, entries: Sequence[Entry], max_bytes: int) -> tuple[Entry, ...]:
        """Those that are committed as they are: what was read may have been cut off meanwhile."""
        found: list[Entry] = []
        for entry in entries:
            committed = entry.last <= self._kernel.committed.offset
            if not committed or self._kernel.term_at(entry.last) != entry.term:
                break
            if found and entry.size_bytes > max_bytes:
                break
            max_bytes -= entry.size_bytes
            found.append(entry)
        return tuple(found)
