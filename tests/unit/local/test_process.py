"""One process: started again, given up, ended, and never an orphan."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from replog_operator.local import process
from replog_operator.local.process import Member, shorten

FOREVER = "import time\nprint('here', flush=True)\ntime.sleep(60)"


def _member(tmp_path: Path, code: str, told: list[str]) -> Member:
    command = [sys.executable, "-S", "-E", "-c", code]
    return Member("member-0", command, tmp_path / "member-0", dict(os.environ), told.append)


async def _until_told(told: list[str], text: str, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while sum(text in line for line in told) < count:
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_a_dead_process_is_started_again_after_growing_pauses(tmp_path: Path) -> None:
    told: list[str] = []
    member = _member(tmp_path, "raise SystemExit(1)", told)
    running = asyncio.create_task(member.run())
    await _until_told(told, "member-0 started", 3)
    member.begin_stop()
    await asyncio.wait_for(running, 5)
    again = [line for line in told if "starting it again" in line]
    assert again[:2] == [
        f"member-0 ended (exit code 1); starting it again in {pause_s} s; see {member.log}"
        for pause_s in (0.2, 0.4)
    ]


@pytest.mark.asyncio
async def test_a_killed_process_is_named_as_that_and_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    member = _member(tmp_path, FOREVER, told)
    running = asyncio.create_task(member.run())
    await _until_told(told, "started")
    assert member.pid is not None
    os.kill(member.pid, signal.SIGKILL)
    await _until_told(told, "started", 2)
    assert "member-0 was killed (SIGKILL); starting it again in 0.2 s" in told
    member.begin_stop()
    await asyncio.wait_for(running, 5)
    assert member.starts == 2


@pytest.mark.asyncio
async def test_a_process_that_takes_its_directory_along_is_given_up_aloud(tmp_path: Path) -> None:
    told: list[str] = []
    gone = "import shutil\nshutil.rmtree('" + str(tmp_path / "member-0") + "')\nraise SystemExit(3)"
    member = _member(tmp_path, gone, told)
    await asyncio.wait_for(member.run(), 10)
    assert member.hopeless == "its data can't be used" and "given up" in told[-1]


@pytest.mark.asyncio
async def test_a_program_that_can_not_be_named_is_tried_again_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    member = Member("member-0", ["a\0b"], tmp_path / "member-0", {}, told.append)
    running = asyncio.create_task(member.run())
    await _until_told(told, "can't be started", 2)
    member.begin_stop()
    await asyncio.wait_for(running, 5)


@pytest.mark.asyncio
@pytest.mark.parametrize("code", [2, 3])
async def test_a_process_that_can_not_run_is_given_up(tmp_path: Path, code: int) -> None:
    told: list[str] = []
    await asyncio.wait_for(_member(tmp_path, f"raise SystemExit({code})", told).run(), 5)
    assert told[-1].startswith("member-0 is given up") and "node.log" in told[-1]


@pytest.mark.asyncio
async def test_what_can_not_be_started_is_tried_again_until_it_can(tmp_path: Path) -> None:
    told: list[str] = []
    in_the_way = tmp_path / "member-0"
    in_the_way.touch()
    member = _member(tmp_path, FOREVER, told)
    running = asyncio.create_task(member.run())
    await _until_told(told, "can't be started: [Errno 17]", 2)
    in_the_way.unlink()
    await _until_told(told, "member-0 started")
    member.begin_stop()
    await asyncio.wait_for(running, 5)


@pytest.mark.asyncio
async def test_a_process_outlives_the_loss_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_LOOK_S", 0.01)
    told: list[str] = []
    member = _member(tmp_path, FOREVER, told)
    running = asyncio.create_task(member.run())
    await _until_told(told, "started")
    member.log.unlink()
    await asyncio.sleep(0.1)
    assert not running.done() and member.pid is not None
    member.begin_stop()
    await asyncio.wait_for(running, 5)


@pytest.mark.asyncio
async def test_output_is_kept_also_of_what_lived_before(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        member = _member(tmp_path, "print('words')\nraise SystemExit(2)", told)
        await asyncio.wait_for(member.run(), 5)
    assert member.log.read_text() == "words\n" * 2


@pytest.mark.asyncio
async def test_a_process_that_ignores_the_wish_to_end_can_be_killed(tmp_path: Path) -> None:
    told: list[str] = []
    deaf = "import signal\nsignal.signal(15, signal.SIG_IGN)\n" + FOREVER
    member = _member(tmp_path, deaf, told)
    running = asyncio.create_task(member.run())
    async with asyncio.timeout(10):
        while not member.log.exists() or "here" not in member.log.read_text():
            await asyncio.sleep(0.01)
    member.begin_stop()
    _, pending = await asyncio.wait({running}, timeout=0.2)
    assert pending
    member.kill()
    await asyncio.wait_for(running, 5)


def test_a_log_that_is_too_long_is_begun_anew_and_the_old_one_kept(tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    log.write_bytes(b"x" * process.LOG_BYTES_MAX)
    shorten(log)
    assert log.stat().st_size == process.LOG_BYTES_MAX
    with log.open("ab") as writer:
        writer.write(b"more")
        writer.flush()
        shorten(log)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "node.log.1").stat().st_size == process.LOG_BYTES_MAX + 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.asyncio
async def test_no_process_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
sys.path[:] = {sys.path!r}
from pathlib import Path
from replog_operator.local.process import Member
child = [sys.executable, "-S", "-E", "-c", {FOREVER!r}]
told = lambda text: print(text, flush=True)
asyncio.run(Member("m", child, Path({str(tmp_path)!r}), {{}}, told).run())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    line = (await asyncio.wait_for(parent.stdout.readline(), 10)).decode()
    child = int(line.strip(")\n").rpartition(" ")[2])
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(5):
        while _lives(child):
            await asyncio.sleep(0.02)


def _lives(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked about doesn't."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


@pytest.mark.asyncio
async def test_a_member_that_lost_its_vote_is_put_aside_once_a_new_one_is_taken_in(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    taken_in: list[bool] = []
    votes = tmp_path / "member-0" / "hardstate.a"
    votes.parent.mkdir()
    votes.write_bytes(b"rot")
    (tmp_path / "member-0.retired-1").mkdir()
    code = (
        f"import os, time\nif os.path.exists({str(votes)!r}):\n"
        " print('error vote_state_lost: …', flush=True)\n raise SystemExit(3)\ntime.sleep(60)"
    )
    command = [sys.executable, "-S", "-E", "-c", code]
    member = Member(
        "member-0", command, votes.parent, dict(os.environ), told.append, lambda: bool(taken_in)
    )
    running = asyncio.create_task(member.run())
    await _until_told(told, "has lost its term and vote")
    await asyncio.sleep(2 * process.LOOK_S)
    assert votes.exists() and member.starts == 1
    taken_in.append(True)
    await _until_told(told, "started", 2)
    assert (tmp_path / "member-0.retired-2" / "hardstate.a").read_bytes() == b"rot"
    assert not votes.exists() and member.hopeless is None
    member.begin_stop()
    await asyncio.wait_for(running, 5)
