"""A segment that changes while another thread examines it: what is found is taken as of now."""

import pytest

from tests.unit.storage.building import appending, chained, cutting, data, opened, whole_log
from tests.unit.storage.test_damage import ENTRIES, found_by, segments, written


@pytest.mark.parametrize("last", [False, True])
def test_what_was_written_while_a_segment_was_examined_is_read_all_the_same(last: bool) -> None:
    """Seed 179569468212 of the soak: the picture from before took the grown segment's place."""
    disk = written(idle=True)
    store = opened(disk)
    grown = chained([data(200)] * 3, store.tail, term=3)
    store.write([appending(grown[0])])
    store.write([appending(grown[1])])
    name = segments(disk)[-1]
    disk.damage(name, disk.content(name).index(grown[1 if last else 0].frame) + 70, b"rot")
    examined = store.examine(name)
    assert examined is not None
    store.write([appending(grown[2])])
    store.damaged(examined)
    lost = grown[1 if last else 0]
    held = [entry for entry in (*ENTRIES, *grown) if entry != lost]
    assert [(hole.start, hole.end) for hole in store.holes] == [(lost.base, lost.last)]
    assert found_by(store).readable == tuple(held)
    store.repair(store.holes[0], [lost])
    assert whole_log(store) == (*ENTRIES, *grown)


def test_what_was_cut_while_a_segment_was_examined_stays_cut() -> None:
    disk = written(idle=True)
    store = opened(disk)
    name = segments(disk)[0]
    disk.damage(name, disk.content(name).index(ENTRIES[1].frame) + 70, b"rot")
    examined = store.examine(name)
    assert examined is not None
    store.write([cutting(ENTRIES[0].position)])
    store.damaged(examined)
    assert (store.holes, whole_log(store)) == ((), ENTRIES[:1])
