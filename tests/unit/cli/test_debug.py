"""`replog debug replay`: a recording done again, step by step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replog.cli import exits
from replog_node.driver.flight import pack, unpack
from replog_node.driver.flightsteps import decode, encode
from tests.unit.cli.running import Ran, ran
from tests.unit.driver.rig import Rig


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """What the leader of three members did."""
    path = tmp_path / "r.flight"
    path.write_bytes(Rig(3).found().nodes[0].driver.recording(build="b", why="asked"))
    return path


def _spoil_the_tenth(recording: Path) -> None:
    """Let the tenth step say that the core ended in it."""
    found = unpack(recording.read_bytes())
    steps = found.generations[0].steps
    steps[9] = encode(decode(steps[9]).event, (), "InvariantViolation: never")
    recording.write_bytes(pack(found))


def _cut(recording: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-1])


async def _replay(*arguments: object) -> Ran:
    return await ran(None, "debug", "replay", *map(str, arguments))


@pytest.mark.asyncio
async def test_a_line_a_step_and_that_all_were_the_same(recording: Path) -> None:
    done = await _replay(recording)
    lines = done.out.decode().splitlines()
    assert done.code == 0, done.err
    assert lines[-1] == f"{len(lines) - 1} steps, outputs identical"
    assert lines[0].startswith("      1 00000000 ")
    assert (await _replay(recording, "--quiet")).out.decode().splitlines() == lines[-1:]


@pytest.mark.asyncio
async def test_for_programs_an_object_a_step(recording: Path) -> None:
    done = await _replay(recording, "--output", "json")
    steps = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    assert {step["difference"] for step in steps} == {None}


@pytest.mark.asyncio
async def test_the_first_step_that_differs_ends_it_with_1(recording: Path) -> None:
    _spoil_the_tenth(recording)
    done = await _replay(recording)
    assert done.code == 1
    assert len(done.out.splitlines()) == 10
    assert "step 10 differs: recorded: InvariantViolation: never; now: no exception" in done.err


@pytest.mark.asyncio
async def test_it_can_go_on_behind_a_step_that_differs(recording: Path) -> None:
    steps = len((await _replay(recording)).out.splitlines()) - 1
    _spoil_the_tenth(recording)
    done = await _replay(recording, "--all")
    assert done.code == 1
    assert len(done.out.splitlines()) == steps
    assert "step 10 differs" in done.err


@pytest.mark.asyncio
async def test_a_damaged_file_is_told_in_words(recording: Path) -> None:
    _cut(recording)
    done = await _replay(recording)
    assert (done.code, done.out) == (1, b"")
    assert "r.flight: it is cut" in done.err
    told = await _replay(recording, "--output", "json")
    assert "it is cut" in json.loads(told.err)["error"]["detail"]


@pytest.mark.asyncio
async def test_a_file_that_is_not_there_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert (await _replay(tmp_path / "none")).code == 2


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = _replay_into(os.open(os.devnull, os.O_WRONLY), tmp_path / "pipe")
    assert done.returncode == exits.EXIT_REFUSED
    assert "pipe: it is no regular file" in done.stderr


@pytest.mark.asyncio
async def test_a_device_is_refused_unread() -> None:
    done = await _replay("/dev/zero")
    assert done.code == 1 and "/dev/zero: it is no regular file" in done.err


def test_a_reader_that_leaves_ends_it_in_silence(recording: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = _replay_into(write_end, recording)
    assert (done.returncode, done.stderr) == (exits.EXIT_READER_LEFT, "")


def test_an_output_that_takes_nothing_is_not_the_fault_of_the_file(recording: Path) -> None:
    done = _replay_into(os.open("/dev/full", os.O_WRONLY), recording)
    assert done.returncode == exits.EXIT_REFUSED
    assert "No space left on device" in done.stderr and recording.name not in done.stderr


def _replay_into(output: int, recording: Path) -> subprocess.CompletedProcess[str]:
    """Run it as a process whose standard output is this file, which is closed here."""
    program = "from replog.cli import main; main()"
    paths = os.pathsep.join(path for path in sys.path if path)
    with open(output, "wb") as file:
        return subprocess.run(
            [sys.executable, "-c", program, "debug", "replay", str(recording)],
            stdout=file, stderr=subprocess.PIPE, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
