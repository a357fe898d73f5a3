"""Checking a directory names every file, what is wrong and where, and changes nothing."""

from pathlib import Path

import msgspec
import pytest

from replog_node.model.positions import MemberId
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.segment import read_header
from replog_node.storage.snapshots import snapshot_name
from replog_node.storage.summary import Segment, find_summary, save_summary
from replog_node.storage.verify import Checked, check_directory, check_path
from tests.support.simdisk import SimDisk
from tests.unit.storage.building import (
    AHEAD,
    CLOCK,
    CLUSTER,
    LINEAGE,
    STATE,
    appending,
    built,
    chained,
    configured,
    cutting,
    data,
    fetched,
    opened,
    segments,
    store_with,
    voting,
)


def whole() -> SimDisk:
    """Return the directory of a member with files of every kind."""
    store, disk, entries = store_with(14)
    store.write([voting(3, "m1")])
    meta = built(store, disk, STATE, entries[7])
    store.release(entries[9].base)
    fetched(store, AHEAD, b"some bytes")
    assert disk.has(snapshot_name(meta))
    return disk


def unsound(disk: SimDisk) -> list[Checked]:
    return [each for each in check_directory(disk) if not each.sound]


def test_every_file_of_a_sound_directory_is_named_and_sound() -> None:
    disk = whole()
    found = list(check_directory(disk))
    assert sorted(each.file for each in found) == sorted(disk.names())
    assert [each for each in found if not each.sound] == []
    details = {each.file: each.detail for each in found}
    assert details["hardstate.a"] == "term 3, voted for m1"
    assert "offsets" in details[segments(disk)[0]]


def test_nothing_is_changed() -> None:
    disk = whole()
    before = {name: disk.content(name) for name in disk.names()}
    list(check_directory(disk))
    assert {name: disk.content(name) for name in disk.names()} == before


@pytest.mark.parametrize(
    "kind", ["identity", "hardstate.a", "hardstate.b", "start", ".snap", ".copy", ".sum", ".seg"]
)
def test_a_flipped_byte_in_any_file_is_found_in_that_file(kind: str) -> None:
    disk = whole()
    name = next(name for name in disk.names() if name.endswith(kind))
    at = 700 if kind == ".seg" else 20
    disk.damage(name, at, bytes([disk.content(name)[at] ^ 1]))
    assert [each.file for each in unsound(disk)] == [name]


def test_damage_in_a_segment_is_told_by_its_offsets() -> None:
    disk = whole()
    name = segments(disk)[1]
    disk.damage(name, disk.content(name).index(b"aaaa"), b"b")
    (found,) = unsound(disk)
    assert found.file == name
    assert f"offsets {int(name[:20])} to {int(name[:20])}" in found.detail


@pytest.mark.parametrize("places", [(20,), (20, 512)])
def test_a_damaged_header_is_blamed_on_no_other_segment(places: tuple[int, ...]) -> None:
    disk = whole()
    name = segments(disk)[1]
    for at in places:
        disk.damage(name, at, b"rot")
    found = {each.file: each for each in check_directory(disk)}
    assert [file for file, each in found.items() if not each.sound] == [name]
    assert found[name].detail.count("its header: ") == 1
    assert ("the rest: offsets" in found[name].detail) == (len(places) == 1)
    before, after = segments(disk)[0], segments(disk)[2]
    assert found[before].detail == f"offsets {int(before[:20])} to {int(name[:20]) - 1}"
    assert found[after].detail.startswith(f"offsets {int(after[:20])} to ")


def test_a_missing_copy_of_term_and_vote_is_told() -> None:
    disk = whole()
    disk.vanish("hardstate.b")
    assert [each.file for each in unsound(disk)] == ["hardstate.b"]


def test_a_torn_end_is_no_damage() -> None:
    store, disk, _ = store_with(3)
    store.write_idle_mark()
    store.write([appending(*chained([data(700)], store.tail))])
    name = segments(disk)[-1]
    disk.damage(name, disk.content(name).rindex(b"aaaa"), b"b")
    assert unsound(disk) == []


def test_what_is_superseded_is_told_and_no_damage() -> None:
    store, disk, entries = store_with(9)
    old = {name: disk.content(name) for name in segments(disk)}
    store.write([cutting(entries[3].position)])
    back = [name for name in old if not disk.has(name)]
    for name in back:
        disk.create(name, 0).write(0, old[name])
    details = {each.file: each.detail for each in check_directory(disk)}
    assert {details[name] for name in back} == {"superseded; it goes at the next start"}
    assert unsound(disk) == []


def test_a_copy_of_term_and_vote_of_another_member_is_told() -> None:
    disk = whole()
    other = SimDisk()
    opened(other, member=MemberId("an0ther"))
    disk.damage("hardstate.b", 0, other.content("hardstate.b"))
    assert unsound(disk) == [Checked("hardstate.b", False, "it is of member an0ther")]


def test_a_row_of_an_index_that_leads_to_no_entry_is_told() -> None:
    disk = whole()
    name = next(name for name in segments(disk) if disk.has(name[:-4] + ".sum"))
    header = read_header(disk, name, CLUSTER)
    summary = find_summary(disk, header)
    assert summary is not None
    wrong = bytes(7) + bytes([9]) + summary.index[8:] or bytes(40)
    save_summary(disk, Segment(header, msgspec.structs.replace(summary, index=wrong[:40])))
    (found,) = unsound(disk)
    assert (found.file, found.detail[:27]) == (header.summary_name, "a row leads to no entry: a ")


def test_a_real_directory_is_checked_beside_the_member_that_holds_it(tmp_path: Path) -> None:
    store = opened(OsDisk(tmp_path))
    store.assign(CLUSTER, LINEAGE)
    store.write([appending(*chained([data(900)] * 9))])
    found = check_path(str(tmp_path))
    assert {each["file"] for each in found} >= {"identity", "hardstate.a"}
    assert all(each["sound"] for each in found)
    store.close()


def test_a_real_directory_whose_first_segments_are_released_is_checked_beside_its_member(
    tmp_path: Path,
) -> None:
    disk = OsDisk(tmp_path)
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    entries = chained([CLOCK, configured("m1"), *[data(1200)] * 12])
    for entry in entries:
        store.write([appending(entry)])
    built(store, disk, STATE, entries[7])
    store.release(entries[9].base)
    found = check_path(str(tmp_path))
    assert [each for each in found if not each["sound"]] == []
    assert "start" in {each["file"] for each in found}
    store.close()


def test_a_directory_of_nobody_and_none_at_all_are_told(tmp_path: Path) -> None:
    (found,) = check_path(str(tmp_path))
    assert (found["file"], found["sound"]) == ("identity", False)
    (found,) = check_path(str(tmp_path / "nothing"))
    assert not found["sound"]
