"""Real files: one holder, reserved space, errors that say what was tried, reads beside writes."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from replog_node.frames.decode import follows, tail_of
from replog_node.model.entries import Entry
from replog_node.model.positions import Offset
from replog_node.storage.disk import DiskError, Sync
from replog_node.storage.disk_os import DirectoryHeld, OsDisk
from replog_node.storage.store import Store
from tests.unit.storage.building import (
    CLUSTER,
    LINEAGE,
    appending,
    chained,
    cutting,
    data,
    opened,
)


def test_a_data_directory_has_one_holder_at_a_time(tmp_path: Path) -> None:
    first = OsDisk(tmp_path / "a" / "b")
    with pytest.raises(DirectoryHeld, match="is held by another process"):
        OsDisk(tmp_path / "a" / "b")
    first.close()
    OsDisk(tmp_path / "a" / "b").close()


def test_a_file_s_space_is_reserved_and_it_can_be_renamed_shortened_and_removed(
    tmp_path: Path,
) -> None:
    disk = OsDisk(tmp_path)
    file = disk.create("x", 8192)
    assert (tmp_path / "x").stat().st_blocks * 512 >= 8192
    file.write(8000, b"0123456789" * 100)
    file.sync(Sync.BLOCK)
    assert (file.size(), file.read(8998, 100), file.read(9000, 1)) == (9000, b"89", b"")
    file.truncate(10)
    file.close()
    disk.rename("x", "y")
    disk.sync_directory(Sync.SEGMENT_NAME)
    assert disk.names() == ("y",)
    again = disk.open("y")
    assert again.read(0, 100) == bytes(10)
    again.close()
    disk.remove("y")
    assert disk.names() == ()
    disk.close()


def test_what_the_system_refuses_says_what_was_tried(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    with pytest.raises(DiskError, match=r"open .*nothing: No such file") as caught:
        disk.open("nothing")
    assert (caught.value.missing, caught.value.full) == (True, False)
    with pytest.raises(DiskError, match="rename"):
        disk.rename("nothing", "something")
    disk.close()


def test_a_directory_that_can_t_be_made_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match="open"):
        OsDisk(tmp_path / "file" / "data")


class Reader(threading.Thread):
    """Reads the log from its start to its end, again and again, until told to stop."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.rounds = 0
        self.problem: Exception | None = None
        self._store = store

    def run(self) -> None:
        while not self.stop.is_set() and self.problem is None:
            try:
                self._read_all()
            except Exception as problem:  # noqa: BLE001  (shown by the test)
                self.problem = problem

    def _read_all(self) -> None:
        last: Entry | None = None
        while found := self._store.read(Offset(last.last + 1 if last else 0), 3000):
            for entry in found:
                if last is not None and not follows(last.chain, entry):
                    return  # a truncation came between two reads
                last = entry
        self.rounds += 1


def test_readers_beside_writes_rolls_and_truncations_see_only_whole_proven_entries(
    tmp_path: Path,
) -> None:
    store = opened(OsDisk(tmp_path / "data"))
    store.assign(CLUSTER, LINEAGE)
    readers = [Reader(store) for _ in range(3)]
    for reader in readers:
        reader.start()
    entries: tuple[Entry, ...] = ()
    for number in range(200):
        keep = len(entries) - 3 if number % 7 == 6 else len(entries)
        after = tail_of(entries[keep - 1]) if keep else store.tail
        more = chained([data(50 + number * 5 % 900)], after, term=1 + number)
        asked = cutting(after.position, *more) if keep < len(entries) else appending(*more)
        store.write([asked])
        entries = (*entries[:keep], *more)
    for reader in readers:
        reader.stop.set()
    for reader in readers:
        reader.join(20)
    assert [reader.problem for reader in readers] == [None] * 3
    assert all(reader.rounds for reader in readers)
    store.close()


def test_a_file_that_was_removed_under_us_is_not_told_to_be_durable(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    file = disk.create("x", 4096)
    file.sync(Sync.BLOCK)
    (tmp_path / "x").unlink()
    with pytest.raises(DiskError, match="removed from its directory"):
        file.sync(Sync.BLOCK)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system was really asked to sync, by path: its own calls are watched, and done."""
    seen: list[str] = []

    def watched(real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            seen.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            real(descriptor)

        return call

    monkeypatch.setattr(os, "fdatasync", watched(os.fdatasync))
    monkeypatch.setattr(os, "fsync", watched(os.fsync))
    return seen


def test_a_file_s_sync_reaches_the_system(tmp_path: Path, synced: list[str]) -> None:
    file = OsDisk(tmp_path).create("x", 4096)
    synced.clear()
    file.sync(Sync.BLOCK)
    assert synced == [str(tmp_path / "x")]


def test_the_directory_s_sync_reaches_the_system(tmp_path: Path, synced: list[str]) -> None:
    disk = OsDisk(tmp_path)
    synced.clear()
    disk.sync_directory(Sync.IDENTITY_NAME)
    assert synced == [str(tmp_path)]


def test_a_new_directory_s_own_name_is_synced_in_each_of_its_parents(
    tmp_path: Path, synced: list[str]
) -> None:
    OsDisk(tmp_path / "a" / "b")
    assert {str(tmp_path), str(tmp_path / "a")} <= set(synced)


def test_space_that_is_given_back_is_zero_and_the_length_stays(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    file = disk.create("f", 1 << 20)
    file.write(0, b"x" * 4096)
    before = (tmp_path / "f").stat().st_blocks
    file.release(4096)
    assert (tmp_path / "f").stat().st_blocks < before
    assert file.size() == 1 << 20
    assert file.read(0, 8192) == b"x" * 4096 + bytes(4096)
    file.release(1 << 20)
    file.close()
    disk.close()
