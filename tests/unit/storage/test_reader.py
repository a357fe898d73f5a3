"""Reads of a log in which something is missing between two segments."""

from random import Random

import pytest
from msgspec.structs import replace

from replog_node.frames.decode import tail_of
from replog_node.model.positions import Term
from replog_node.storage.errors import LogDamaged
from replog_node.storage.identity import load_identity
from replog_node.storage.opening import open_log
from replog_node.storage.reader import read_entries
from replog_node.storage.reserve import Reserve
from tests.unit.storage.building import SMALL, store_with


@pytest.mark.timeout(20)
def test_a_read_between_two_segments_ends_there_and_is_told_at_its_beginning() -> None:
    """Seed 179569468212 of the soak: it looked for ever."""
    store, disk, entries = store_with(12)
    store.close()
    reserve, identity = Reserve(disk, SMALL), load_identity(disk)
    random64 = Random(1).getrandbits
    _, log = open_log(disk, SMALL, lambda: random64(64), reserve, identity, Term(9))
    assert log is not None and log.view.sealed
    first, *others = log.view.sealed
    held = [entry for entry in entries if entry.last <= first.last]
    assert len(held) >= 3
    shorter = replace(first, summary=replace(first.summary, tail=tail_of(held[-2])))
    view = replace(log.view, sealed=(shorter, *others))

    found = read_entries(disk, view, held[0].base, max_bytes=1 << 20, read_bytes=700)
    assert list(found) == held[:-1]
    with pytest.raises(LogDamaged, match="no segment holds it"):
        read_entries(disk, view, held[-1].base, max_bytes=1 << 20, read_bytes=700)
