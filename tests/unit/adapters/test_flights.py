"""Recordings as files (replog_node/adapters/flights.py)."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from replog_node.adapters.flights import FILES_MAX, keep, leave, replay_path
from replog_node.driver.flight import RECORDING_BYTES_MAX, RecordingUnsound
from replog_node.storage.verify import check_path
from tests.unit.driver.rig import Rig, batch


def _recording() -> bytes:
    """Of the first of three members, which leads."""
    rig = Rig(3).found()
    rig.nodes[0].append(batch("a"))
    rig.deliver()
    return rig.nodes[0].driver.recording(build="b", why="asked")


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_recording_is_kept_by_the_number_of_its_run(tmp_path: Path) -> None:
    path = keep(tmp_path, 3, b"one", leave_bytes=0)
    assert path == tmp_path / "flight-0000000003.bin"
    assert keep(tmp_path, 3, b"two", leave_bytes=0) == path
    assert path.read_bytes() == b"two"
    assert _names(tmp_path) == [path.name]


def test_the_oldest_go_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "identity").write_bytes(b"i")
    for number in range(1, FILES_MAX + 4):
        keep(tmp_path, number, b"r", leave_bytes=0)
    kept = [f"flight-{number:010d}.bin" for number in range(4, FILES_MAX + 4)]
    assert _names(tmp_path) == [*kept, "identity"]


def test_a_disk_with_little_room_gets_none(tmp_path: Path) -> None:
    assert keep(tmp_path, 1, b"r", leave_bytes=1 << 60) is None
    assert _names(tmp_path) == []


@pytest.mark.asyncio
async def test_a_disk_that_refuses_holds_up_no_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await leave(tmp_path / "nowhere", 1, b"r", leave_bytes=0)
    await leave(tmp_path, 1, b"r", leave_bytes=1 << 60)
    assert [record.getMessage() for record in caplog.records] == ["flight_lost"] * 2


@pytest.mark.asyncio
async def test_a_disk_that_hangs_holds_up_an_end_for_a_moment_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = tmp_path / "flight-0000000001.bin.tmp"
    os.mkfifo(hanging)  # to open it lasts until somebody reads
    await leave(tmp_path, 1, b"r", leave_bytes=0, within_s=0.2)
    assert "took longer than 0.2 s" in str([vars(record) for record in caplog.records])
    reader = os.open(hanging, os.O_RDONLY | os.O_NONBLOCK)
    await asyncio.sleep(0.1)
    os.close(reader)


@pytest.mark.asyncio
async def test_what_is_left_is_there_when_the_node_ends(tmp_path: Path) -> None:
    await leave(tmp_path, 7, b"r", leave_bytes=0)
    assert _names(tmp_path) == ["flight-0000000007.bin"]


def test_each_step_is_a_line_in_the_words_of_the_house(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(_recording())
    steps = list(replay_path(str(path)))
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    assert {step["difference"] for step in steps} == {None}
    lines = [step["line"] for step in steps]
    (first,) = (line for line in lines if "is leader" in line)
    assert first.startswith("00000000 persisted #") or "tick" in first
    assert any(" ⇒ 00000000 persists #" in line and "accepted as" in line for line in lines)
    assert not any("-0000-" in line for line in lines), "ids are told by their first letters"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[: len(data) // 2], "it is cut"),
        (lambda data: data[:-9] + b"?" + data[-8:], "checksum"),
        (lambda data: b"#!/bin/sh\n" * 9, "no recording"),
    ],
)
def test_what_is_no_whole_recording_is_refused_in_words(
    tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "r"
    path.write_bytes(change(_recording()))
    with pytest.raises(RecordingUnsound, match=said):
        list(replay_path(str(path)))


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.touch()
    os.truncate(path, RECORDING_BYTES_MAX + 1)
    with pytest.raises(RecordingUnsound, match="larger than"):
        list(replay_path(str(path)))


def test_a_data_directory_with_recordings_is_still_sound(tmp_path: Path) -> None:
    """Storage lets files alone whose names it doesn't know."""
    keep(tmp_path, 1, b"r", leave_bytes=0)
    assert not any("flight" in item["file"] for item in check_path(str(tmp_path)))
