"""Several Persists as one write: what they leave, without what a later one takes back.

Decides: what a batch comes to, and whether its entries follow. Must not know: files.
Read next: store.py.
"""

from collections.abc import Sequence

import msgspec

from replog_node.frames.decode import succeeds, tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import Position
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.storage.errors import ChainBroken, StoreMisused


class Merged(msgspec.Struct, frozen=True):
    """Several Persists as one: what they leave, without what a later one takes back."""

    hard_state: HardState | None = None
    truncate_to: Position | None = None
    entries: tuple[Entry, ...] = ()


def merge(persists: Sequence[Persist]) -> Merged:
    """Return what these leave, carried out in order."""
    hard_state: HardState | None = None
    truncate_to: Position | None = None
    entries: list[Entry] = []
    for persist in persists:
        hard_state = persist.hard_state or hard_state
        cut = persist.truncate_to
        if cut is not None and entries and cut.offset >= entries[0].base:
            entries = _cut_entries(entries, cut)
        elif cut is not None:
            truncate_to, entries = cut, []
        entries += persist.entries
    return Merged(hard_state, truncate_to, tuple(entries))


def _cut_entries(entries: list[Entry], cut: Position) -> list[Entry]:
    kept = [entry for entry in entries if entry.last <= cut.offset]
    if not kept or kept[-1].position != cut:
        raise StoreMisused(f"no entry ends at {cut}")
    return kept


def check_chain(tail: Tail, entries: Sequence[Entry]) -> None:
    """Raise ChainBroken unless these entries follow the tail."""
    for entry in entries:
        if not succeeds(tail, entry):
            raise ChainBroken(f"the entry at offset {entry.base} doesn't follow {tail.position}")
        tail = tail_of(entry)
