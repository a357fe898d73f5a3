"""The disk in memory is as bad as the real one may be, and no worse, and repeats itself."""

from random import Random

import pytest

from replog_node.storage.disk import DiskError, Sync
from tests.support.simdisk import SECTOR, Crashed, SimDisk, SyncSite

BYTES = b"n" * (8 * SECTOR)


def synced(content: bytes = b"") -> SimDisk:
    """Return a disk whose file `f` is durable."""
    disk = SimDisk()
    file = disk.create("f", 0)
    file.write(0, content)
    file.sync(Sync.BLOCK)
    disk.sync_directory(Sync.SEGMENT_NAME)
    return disk


def test_a_process_crash_keeps_what_was_written_and_a_power_loss_what_was_synced() -> None:
    disk = synced(b"durable")
    disk.open("f").write(7, BYTES)
    disk.create("g", 10)
    disk.restart()
    assert (disk.names(), disk.content("f")) == (("f", "g"), b"durable" + BYTES)
    names, sizes = set(), set()
    for seed in range(30):
        lost = disk.copy()
        lost.lose_power(Random(seed))
        assert lost.content("f").startswith(b"durable")
        names.add(lost.names())
        sizes.add(lost.content("f").count(b"n"))
    assert names == {("f",), ("f", "g")}
    assert len(sizes) > 4


def test_each_sector_of_an_unsynced_write_survives_on_its_own() -> None:
    disk = synced(b"o" * len(BYTES))
    disk.open("f").write(0, BYTES)
    disk.lose_power(Random(1))
    sectors = [disk.content("f")[at : at + SECTOR] for at in range(0, len(BYTES), SECTOR)]
    assert set(sectors) == {b"o" * SECTOR, b"n" * SECTOR}


def test_a_renaming_that_was_not_synced_leaves_the_file_under_one_name_at_least() -> None:
    found = set()
    for seed in range(40):
        disk = synced()
        disk.rename("f", "g")
        disk.lose_power(Random(seed))
        found.add(disk.names())
    assert found == {("f",), ("g",), ("f", "g")}


def test_a_failed_sync_loses_the_bytes_though_they_can_be_read_and_synced_again() -> None:
    disk = synced()
    file = disk.open("f")
    file.write(0, BYTES)
    disk.fail = lambda call: "broken" if call.startswith("sync") else None
    with pytest.raises(DiskError, match="broken"):
        file.sync(Sync.BLOCK)
    disk.fail = None
    file.sync(Sync.BLOCK)
    assert file.read(0, len(BYTES)) == BYTES
    disk.lose_power(Random(0))
    assert disk.content("f") == b""


def test_after_a_crash_nothing_of_the_dead_process_works() -> None:
    disk = synced()
    file = disk.open("f")
    disk.crash_at = disk.operations + 1
    for _ in range(2):
        with pytest.raises(Crashed):
            file.write(0, b"x")
    disk.restart()
    with pytest.raises(Crashed):
        file.write(0, b"x")
    assert disk.open("f").read(0, 1) in (b"", b"x")


def test_the_same_seed_loses_the_same() -> None:
    for seed in range(5):
        contents = set()
        for _ in range(2):
            disk = synced()
            disk.open("f").write(0, BYTES)
            disk.create("g", 0)
            disk.lose_power(Random(seed))
            contents.add((disk.names(), disk.content("f")))
        assert len(contents) == 1


def test_calls_and_syncs_are_counted_and_slow_syncs_charged() -> None:
    disk = SimDisk()
    disk.sync_ms = 20
    file = disk.create("hardstate.a", 0)
    file.sync(Sync.VOTE)
    file.sync(Sync.BLOCK)
    assert disk.stall_ms == 40
    assert disk.syncs == {SyncSite(Sync.VOTE, "hardstate.a"): 1, SyncSite(Sync.BLOCK): 1}
    assert disk.calls == {"create": 1, "sync": 2}


def test_a_power_loss_may_keep_all_or_nothing_of_what_was_not_synced() -> None:
    disk = synced(b"o" * len(BYTES))
    disk.open("f").write(0, BYTES)
    disk.rename("f", "g")
    all_kept, nothing_kept = disk.copy(), disk.copy()
    all_kept.lose_power(Random(0), kept=1.0)
    nothing_kept.lose_power(Random(0), kept=0.0)
    assert all_kept.content("g") == BYTES
    assert (nothing_kept.names(), nothing_kept.content("f")) == (("f",), b"o" * len(BYTES))


def test_a_write_that_fails_has_done_part_of_its_work() -> None:
    found = set()
    for seed in range(20):
        disk = synced(b"o" * len(BYTES))
        disk.crash_random = Random(seed)
        disk.fail = lambda call: "broken" if call.startswith("write") else None
        with pytest.raises(DiskError, match="broken"):
            disk.open("f").write(0, BYTES)
        found.add(disk.content("f").count(b"n") // SECTOR)
    assert {0, 8} < found


def test_a_disk_has_no_more_room_than_was_left_and_says_when_that_was_too_little() -> None:
    disk = synced(BYTES)
    told: list[str] = []
    disk.on_full = lambda: told.append("full")
    disk.leave_free(2 * SECTOR)
    assert disk.free_bytes() == 2 * SECTOR
    disk.create("g", SECTOR)
    with pytest.raises(DiskError) as refused:
        disk.create("h", 2 * SECTOR)
    assert (refused.value.full, told, disk.names()) == (True, ["full"], ("f", "g"))
    disk.capacity = None
    disk.create("h", 2 * SECTOR)


def test_a_read_may_give_back_what_is_not_there() -> None:
    disk = synced(b"right")
    disk.twist = lambda name, at, found: b"wrong" if (name, at) == ("f", 0) else found
    assert disk.open("f").read(0, 5) == b"wrong"
    assert disk.open("f").read(1, 4) == b"ight"
    disk.twist = None
    assert disk.open("f").read(0, 5) == b"right"


def test_rot_is_remembered_until_something_else_is_durable_there() -> None:
    disk = synced(BYTES)
    disk.damage("f", SECTOR + 7, b"rot")
    inode = disk.lasting()["f"]
    assert inode.rotten == {1} and disk.open("f").read(SECTOR + 7, 3) == b"rot"
    file = disk.open("f")
    file.write(SECTOR, b"n" * (SECTOR - 1))
    file.sync(Sync.BLOCK)
    assert inode.rotten == {1}, "part of the sector is as it was"
    file.write(SECTOR, b"n" * SECTOR)
    assert inode.rotten == {1}, "a power loss brings it back"
    file.sync(Sync.BLOCK)
    assert inode.rotten == set() and disk.content("f") == BYTES


def test_what_is_cut_off_is_rotten_no_more() -> None:
    disk = synced(BYTES)
    disk.damage("f", 5 * SECTOR, b"rot")
    file = disk.open("f")
    file.truncate(5 * SECTOR)
    file.sync(Sync.BLOCK)
    assert disk.lasting()["f"].rotten == set()


def test_only_a_file_with_its_durable_name_lasts() -> None:
    disk = synced(BYTES)
    disk.create("g", SECTOR)
    disk.rename("f", "h")
    assert set(disk.lasting()) == set()
    disk.sync_directory(Sync.SEGMENT_NAME)
    assert set(disk.lasting()) == {"g", "h"}
