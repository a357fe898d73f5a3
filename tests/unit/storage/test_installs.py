"""Snapshots fetched piece by piece, and installed in the place of the whole log."""

import msgspec
import pytest

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Tail
from replog_node.model.positions import Offset, Position, Term
from replog_node.storage.errors import (
    ReadRefused,
    SnapshotUnusable,
    StoreMisused,
)
from replog_node.storage.snapshots import (
    part_name,
    snapshot_name,
)
from replog_node.storage.start import START_NAME
from tests.unit.storage.building import (
    AHEAD,
    CLOCK,
    STATE,
    appending,
    built,
    bytes_of,
    chained,
    cutting,
    data,
    fetched,
    opened,
    reopened,
    segments,
    snapshot_at,
    store_with,
    whole_log,
)


def test_a_fetched_snapshot_takes_the_place_of_the_whole_log() -> None:
    store, disk, _ = store_with(8)
    assert fetched(store, AHEAD, bytes_of(AHEAD, STATE)).finish()
    store.install(AHEAD)
    assert store.tail == store.start == AHEAD.tail
    assert store.snapshots == (AHEAD,)
    assert len(segments(disk)) == 1
    assert whole_log(store) == ()
    more = chained([data(900), data(900)], AHEAD.tail, term=8)
    store.write([appending(*more)])
    again = reopened(store, disk)
    assert whole_log(again) == more
    assert again.recovered.log.base == AHEAD
    assert again.recovered.log.start == AHEAD.position
    assert again.read_state(AHEAD) == STATE
    again.write([cutting(AHEAD.position, *chained([CLOCK], AHEAD.tail, term=9))])
    last = reopened(again, disk)
    assert last.start == AHEAD.tail
    assert last.tail.position == Position(Term(9), Offset(501))


@pytest.mark.parametrize("then", ["nothing", "a restart", "a cut to its start"])
def test_what_an_install_superseded_stays_so_though_its_files_are_back_and_start_is_damaged(
    then: str,
) -> None:
    store, disk, _ = store_with(8)
    old = {name: disk.content(name) for name in segments(disk)}
    assert fetched(store, AHEAD, bytes_of(AHEAD, STATE)).finish()
    store.install(AHEAD)
    if then == "a restart":
        store = reopened(store, disk)
    elif then == "a cut to its start":
        store.write([appending(*chained([CLOCK], AHEAD.tail, term=8))])
        store.write([cutting(AHEAD.position)])
    store.close()
    for name, content in old.items():
        disk.create(name, 0).write(0, content)
    disk.damage(START_NAME, 30, b"\xff\xff")
    again = opened(disk)
    assert again.tail == again.start == AHEAD.tail
    assert len(segments(disk)) == 1


def test_an_install_needs_a_snapshot_that_was_fetched_whole_and_is_not_the_older_one() -> None:
    store, disk, entries = store_with(8)
    with pytest.raises(StoreMisused, match="there is no snapshot"):
        store.install(AHEAD)
    fetched(store, AHEAD, bytes_of(AHEAD, STATE)[:-1])
    with pytest.raises(SnapshotUnusable):
        store.install(AHEAD)
    older = built(store, disk, STATE, entries[2])
    built(store, disk, STATE)
    with pytest.raises(StoreMisused, match="is older than"):
        store.install(older)
    assert whole_log(store) == entries
    assert whole_log(reopened(store, disk)) == entries


def test_a_part_goes_on_after_a_restart_where_it_was() -> None:
    store, disk, _ = store_with(3)
    content = bytes_of(AHEAD, STATE)
    incoming = store.incoming(AHEAD)
    incoming.write(0, content[:700])
    again = reopened(store, disk)
    incoming = again.incoming(AHEAD)
    assert incoming.size == 700
    with pytest.raises(StoreMisused):
        incoming.write(699, content[699:])
    incoming.write(700, content[700:])
    assert incoming.finish()
    again.install(AHEAD)
    assert again.read_state(AHEAD) == STATE
    assert not disk.has(part_name(AHEAD))


@pytest.mark.parametrize("wrong", ["state", "header", "short", "other"])
def test_a_part_that_isn_t_what_was_offered_is_removed_and_never_becomes_a_snapshot(
    wrong: str,
) -> None:
    store, disk, entries = store_with(3)
    content = bytearray(bytes_of(AHEAD, STATE))
    match wrong:
        case "state":
            content[-5] ^= 1
        case "header":
            content[40] ^= 1
        case "short":
            del content[-1:]
        case _:
            content[:] = bytes_of(msgspec.structs.replace(AHEAD, log_time_ms=901), STATE)
    assert not fetched(store, AHEAD, bytes(content)).finish()
    assert not disk.has(part_name(AHEAD))
    again = reopened(store, disk)
    assert again.snapshots == ()
    assert whole_log(again) == entries


def test_one_part_is_kept_at_a_time_and_none_that_is_older_than_what_is_there() -> None:
    store, disk, _ = store_with(4)
    other = snapshot_at(Tail(Position(Term(1), Offset(1)), bytes(16), 1), STATE)
    store.incoming(AHEAD).write(0, b"x")
    store.incoming(other).write(0, b"x")
    assert not disk.has(part_name(AHEAD))
    built(store, disk, STATE)
    reopened(store, disk)
    assert not disk.has(part_name(other))


def test_chunks_are_the_file_and_the_first_one_is_given_only_if_all_of_it_is_sound() -> None:
    store, disk, _ = store_with(4)
    meta = built(store, disk, STATE)
    found = b""
    while chunk := store.read_chunk(meta, len(found), 333):
        assert len(chunk) <= 333
        found += chunk
    assert found == disk.content(snapshot_name(meta))
    disk.fail = lambda call: "bad sector" if call.startswith("read") else None
    with pytest.raises(ReadRefused):
        store.read_chunk(meta, 0, 100)


def test_a_snapshot_of_another_s_base_can_be_taken_in_beside_the_own_log() -> None:
    store, _, entries = store_with(6)
    meta = snapshot_at(tail_of(entries[3]), STATE)
    incoming = fetched(store, meta, bytes_of(meta, STATE))
    assert incoming.finish()
    store.adopt_snapshot(incoming.name)
    assert store.snapshots == (meta,)
    assert whole_log(store) == entries
