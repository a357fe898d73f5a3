"""Bugs 13 to 18 of docs/bugs.md: majorities, what a store believes, what confirms a read.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, hands.py, ../unit/storage/building.py.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random

import pytest

from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import Offset, Position, Term
from replog_node.raft.messages import (
    HeartbeatReply,
    ReadIndexReply,
)
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.errors import ChainBroken, StorageFailed
from replog_node.storage.store import Store
from tests.catalogue.hands import (
    cut_power,
    overheard,
)
from tests.catalogue.index import bug
from tests.simulation.directed import leader_of, values
from tests.support.simdisk import Crashed, SimDisk
from tests.unit.driver.rig import Rig, batch
from tests.unit.storage.building import (
    CLUSTER,
    LINEAGE,
    appending,
    bytes_of,
    chained,
    cutting,
    data,
    fetched,
    opened,
    snapshot_at,
    whole_log,
)


@bug(13, "hashicorp 163a55f")
@pytest.mark.parametrize("size", [2, 4, 6])
def test_half_of_an_even_cluster_is_no_majority(size: int) -> None:
    rig = Rig(size).found()
    leader, *others = rig.nodes
    beyond_half = others[size // 2 - 1 :]
    for node in beyond_half:
        node.asleep = True
    told = leader.append(batch("x"))
    rig.deliver()
    assert told.codes == []
    beyond_half[0].asleep = False
    leader.driver.peer_up(beyond_half[0].member)
    rig.deliver()
    assert told.codes == ["ok"]


def _holding(entries: Iterable[Entry], disk: SimDisk) -> Store:
    """The store of a member that holds these entries durably."""
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    for entry in entries:
        store.write([appending(entry)])
    return store


@bug(14, "hashicorp 1.4.0")
@pytest.mark.parametrize("power", [False, True], ids=["its process ends", "its machine goes down"])
def test_a_log_that_begins_anew_at_a_snapshot_has_no_gap_wherever_it_dies(power: bool) -> None:
    """The snapshot lies far beyond the log's end; what follows it lies far beyond it, too."""
    state = b"the state " * 50
    ahead = snapshot_at(Tail(Position(Term(7), Offset(500)), bytes(range(16)), 900), state)
    old, more = chained([data(500)] * 6), chained([data(500)] * 2, ahead.tail, term=8)
    seen = set()
    for operation in count(1):
        disk = SimDisk()
        store = _holding(old, disk)
        assert fetched(store, ahead, bytes_of(ahead, state)).finish()
        disk.crash_at = disk.operations + operation
        with suppress(Crashed):
            store.install(ahead)
            break
        disk.restart()
        if power:
            disk.lose_power(Random(operation))
        store = opened(disk)
        begun_anew = store.start == ahead.tail
        seen.add(begun_anew)
        assert whole_log(store) == (() if begun_anew else old)
        after, gap = (more, old[:1]) if begun_anew else (chained([data(9)], store.tail), more)
        with pytest.raises(ChainBroken):
            store.write([appending(*gap)])
        store.write([appending(*after)])
    assert seen == {False, True}


@bug(15, "raft-wal#32")
@pytest.mark.parametrize("call", ["write", "sync"])
def test_after_a_failed_write_nothing_is_believed_that_the_disk_does_not_have(call: str) -> None:
    """Not even once the disk works again: what comes next would lie behind a gap.

    The follower ends; when it comes back it says what its disk holds, and gets the rest.
    """
    rig = Rig(3).found()
    leader, follower, third = rig.nodes
    third.asleep = True
    leader.append(batch("before"))
    rig.deliver()
    follower.disk.fail = lambda made: "no" if made.split(" ")[0] == call else None
    told = leader.append(batch("meanwhile"))
    with pytest.raises(StorageFailed):
        rig.deliver()
    follower.disk.fail = None
    leader.append(batch("later"))
    with pytest.raises(StorageFailed):
        rig.deliver()
    assert told.codes == []
    cut_power([follower], seed=4)
    follower.start()
    leader.driver.peer_up(follower.member)
    rig.tick(5)
    assert told.codes == ["ok"] and values(follower) == [b"before", b"meanwhile", b"later"]


@bug(15, "raft-wal#33")
@pytest.mark.parametrize("then", ["nothing more is written", "other entries lie there"])
def test_what_was_cut_off_does_not_come_back_by_a_crash(then: str) -> None:
    """In the very segment that grows: its file still holds what was cut off."""
    old = chained([data(300)] * 4)
    end = old[1].position
    others = chained([data(100)], Tail(end, old[1].chain, old[1].append_time_ms), term=2)
    added = others if then == "other entries lie there" else ()
    for seed in range(12):
        disk = SimDisk()
        store = _holding(old, disk)
        store.write([cutting(end, *added)])
        disk.lose_power(Random(seed))
        assert whole_log(opened(disk)) == (*old[:2], *added)


@bug(16, "raft-wal#17")
def test_readers_at_once_get_the_bytes_that_they_asked_for(tmp_path: Path) -> None:
    """On real files; what one has read stays what it is, whatever others read meanwhile."""
    entries = chained([data(700, fill=letter) for letter in "abcdefgh"])
    store = opened(OsDisk(tmp_path))
    store.assign(CLUSTER, LINEAGE)
    store.write([appending(*entries)])

    def read(at: int) -> list[tuple[Entry, ...]]:
        return [store.read(Offset((at + n) % 8), 1) for n in range(150)]

    with ThreadPoolExecutor(4) as readers:
        found = list(readers.map(read, range(4)))
    store.close()
    assert found == [[(entries[(at + n) % 8],) for n in range(150)] for at in range(4)]


@bug(17, "etcd-raft#397")
def test_answers_to_an_earlier_round_confirm_no_read_that_was_tried_again() -> None:
    """The answers to the first try come when another leads, has acknowledged x, and a client asks
    a second time."""
    rig = Rig(3).found()
    old, *others = rig.nodes
    held = overheard(rig, HeartbeatReply, to=old, lost=True)
    old.read_index(within_s=0.1)
    rig.deliver()
    rig.dropped = None
    old.asleep = True
    new = leader_of(rig, *others)
    told = new.append(batch("x"))
    rig.tick(5)
    old.asleep = False
    again = old.read_index(within_s=60)
    assert len(held) == 2
    for heard in held:
        old.driver.receive(heard.envelope)
    assert again.codes == []
    rig.tick(60)
    assert again[0] >= told[0].last_offset


@bug(17, "etcd-raft#397")
def test_an_answer_to_a_process_that_is_gone_confirms_no_read_of_the_next() -> None:
    """A follower that starts anew counts its questions anew."""
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    follower.kill()
    follower.start()
    rig.tick(5)
    held = overheard(rig, ReadIndexReply, to=follower, lost=True)
    follower.read_index()
    rig.deliver()
    rig.dropped = None
    follower.kill()
    told = leader.append(batch("x"))
    rig.deliver()
    follower.start()
    rig.tick(5)
    rig.cut_off = {leader.member}
    again = follower.read_index(within_s=60)
    (late,) = held
    follower.driver.receive(late.envelope)
    assert late.message.index < told[0].last_offset and again.codes == []


@bug(18, "etcd#14370")
def test_who_is_alone_acknowledges_nothing_before_its_disk_has_it() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    node.stalled = True
    told = node.append(batch("x"), within_s=60)
    rig.tick(10)
    assert told.codes == [] and values(node) == []
    node.stalled = False
    rig.deliver()
    assert told.codes == ["ok"]
    cut_power([node], seed=5)
    node.start()
    rig.tick(5)
    assert values(node) == [b"x"]
