"""`replog up` under the planner: edited, scaled, replaced, rolled, and killed at every write.

All of it under a load whose every acknowledged record is there once, in order, at the end.
"""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from replog.client import Client, Producer, read
from replog_operator.failpoints import EXIT_FAILPOINT, LOCAL_NAMES, VARIABLE
from replog_operator.local.spec import NODE_COMMAND_NOTE
from tests.integration.supervised import REPLOG, ports_in_a_row
from tests.support import SHOWN
from tests.support.build_node import BUILD, LEVEL_VARIABLE
from tests.support.processes import FAST, ask, eventually, process_of

MOST = 5
WAIT_S = 120.0
PAUSE_S = 0.005
OWN_PLACES = 2
"""Each process first tells the log of its epoch, before and after which there is one."""
DEATHS_MAX = 60
"""Of one way from state to state."""
NEWER = shlex.join(["env", f"{LEVEL_VARIABLE}=2", sys.executable, *BUILD])
"""The program of a build that speaks a higher feature level."""
BROKEN = shlex.join([sys.executable, "-c", "raise SystemExit(7)"])


class Log:
    """A data directory, and the `replog up` of it that runs, if one does."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.first = ports_in_a_row(2 * MOST)
        self.said = folder / "up.log"
        self.file = self.data / "log.yaml"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoints(self) -> list[str]:
        return [f"127.0.0.1:{self.first + at}" for at in range(MOST)]

    def start(self, failpoint: str = "") -> None:
        """Run it; to die at that place."""
        kept = {name: v for name, v in os.environ.items() if not name.startswith("REPLOG")}
        environment = {**kept, **FAST, VARIABLE: failpoint}
        with self.said.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    REPLOG, "up", "--data-dir", str(self.data), "--client-port", str(self.first),
                    "--peer-port", str(self.first + MOST),
                ],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def died(self) -> None:
        """Wait until it has died at its failpoint."""
        assert self.process is not None
        assert self.process.wait(WAIT_S) == EXIT_FAILPOINT

    def dies_or_settles(self, replicas: int) -> bool:
        """Wait for either; whether it died at its failpoint."""
        assert self.process is not None
        until_s = time.monotonic() + WAIT_S
        while time.monotonic() < until_s:
            if self.process.poll() is not None:
                assert self.process.returncode == EXIT_FAILPOINT, self.failing()
                return True
            if self.is_settled(replicas) and self.process.poll() is None:
                return False
            time.sleep(0.1)
        raise AssertionError(f"neither dead nor settled after {WAIT_S} s\n{self.type('plan')}")

    def crash(self) -> None:
        """As `kill -9`; its members end with it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """As Ctrl-C does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(WAIT_S)
            finally:
                self.process.kill()
                self.process.wait()

    def type(self, *arguments: str) -> str:
        """A command about this directory; what it prints."""
        done = subprocess.run(
            [REPLOG, *arguments, "--data-dir", str(self.data)],
            capture_output=True, text=True, timeout=WAIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """A command about this directory that is refused; why."""
        done = subprocess.run(
            [REPLOG, *arguments, "--data-dir", str(self.data)],
            capture_output=True, text=True, timeout=WAIT_S, check=False,
        )  # fmt: skip
        assert done.returncode != 0, done.stdout
        return done.stderr

    def annotate(self, command: str) -> None:
        """Have the members be of another program."""
        text = self.file.read_text()
        head, _, tail = text.partition("  name: replog\n")
        rest = tail.partition("spec:")[2]
        note = (
            f"  annotations:\n    {NODE_COMMAND_NOTE}: {json.dumps(command)}\n" if command else ""
        )
        self.file.write_text(f"{head}  name: replog\n{note}spec:{rest}")

    def status(self, at: int) -> Any:
        """What a member says; None if it says nothing."""
        try:
            return ask("GET", self.endpoints[at], "/v1/cluster", timeout_s=2)
        except OSError:
            return None

    def settled(self, replicas: int) -> None:
        """Wait until there is nothing to do for so many members, and all of them run."""
        what = f"{replicas} members and nothing to do"
        eventually(what, lambda: self.is_settled(replicas), timeout_s=WAIT_S)

    def is_settled(self, replicas: int) -> bool:
        """Whether it is so now."""
        said = [self.status(at) for at in range(replicas)]
        voters = [s and len([m for m in s["members"] if m["role"] == "voter"]) for s in said]
        if voters != [replicas] * replicas:
            return False
        return self.type("plan").startswith("nothing to do")

    def failing(self) -> str:
        """What went wrong, for a person."""
        return self.said.read_text()


class Load:
    """One producer that appends 0, 1, 2 … until it is told to stop."""

    def __init__(self, endpoints: list[str]) -> None:
        self._endpoints = endpoints
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.acknowledged = 0
        self.problem: BaseException | None = None
        self._thread.start()

    async def _run(self) -> None:
        try:
            async with (
                Client(self._endpoints, timeout_s=WAIT_S) as client,
                Producer(client) as producer,
            ):
                while not self._stop.is_set():
                    await producer.append(str(self.acknowledged).encode())
                    self.acknowledged += 1
                    await asyncio.sleep(PAUSE_S)
        except Exception as problem:  # noqa: BLE001 - told by end()
            self.problem = problem

    def end(self) -> None:
        """Stop, and see that every record is there once and in order."""
        self._stop.set()
        self._thread.join(2 * WAIT_S)
        assert self.problem is None, self.problem
        assert self.acknowledged > 0
        assert asyncio.run(_values(self._endpoints)) == list(range(self.acknowledged))


async def _values(endpoints: list[str]) -> list[int]:
    async with Client(endpoints) as client:
        return [int(r.value or b"") async for page in read(client) for r in page.records]


@contextmanager
def log_in(folder: Path) -> Iterator[Log]:
    """A log that is ended with the block."""
    log = Log(folder)
    try:
        yield log
    except BaseException as problem:
        problem.add_note(log.failing())
        raise
    finally:
        log.end()


@pytest.mark.timeout(500)
def test_a_log_is_scaled_replaced_and_rolled_under_load_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    with log_in(tmp_path) as log:
        log.start()
        eventually("there is a log", lambda: log.file.exists(), timeout_s=WAIT_S)
        log.settled(3)
        load = Load(log.endpoints)
        for replicas in (5, 3, 1, 3):
            assert f"{replicas} of {replicas} members vote" in log.type("scale", str(replicas))
            log.settled(replicas)
        _a_lost_directory(log)
        _another_version_and_a_broken_one(log)
        load.end()


def _a_lost_directory(log: Log) -> None:
    """The member's directory vanishes, and with it the member: a new one takes its place."""
    before = log.status(2)
    assert before is not None
    lost = log.data / "member-2"
    process = process_of(lost)
    assert process is not None
    os.kill(process, signal.SIGSTOP)
    lost.rename(log.data.parent / "lost")
    os.kill(process, signal.SIGKILL)

    def replaced() -> bool:
        now = log.status(2)
        return now is not None and now["member"] != before["member"] and now["state"] == "member"

    eventually("a new member is there", replaced, timeout_s=WAIT_S)
    log.settled(3)


def _another_version_and_a_broken_one(log: Log) -> None:
    before = _processes(log)
    log.annotate(NEWER)
    eventually("all are renewed", lambda: not before & _processes(log), timeout_s=WAIT_S)
    eventually("the level is raised", lambda: _level(log) == 2, timeout_s=WAIT_S)
    log.settled(3)
    good = _processes(log)
    log.annotate(BROKEN)
    text = log.file.read_text().replace("spec:\n", "spec:\n  update: {timeout: 10s}\n")
    log.file.write_text(text)
    eventually("it is given up", lambda: "BadVersion" in log.type("plan"), timeout_s=WAIT_S)
    eventually("the former is back", lambda: len(_processes(log)) == 3, timeout_s=WAIT_S)
    assert len(good & _processes(log)) == 2, "one member was tried, and no other touched"
    assert "SystemExit(7)" in log.file.read_text(), "the file is not edited"


def _level(log: Log) -> int:
    found = log.status(0)
    return 0 if found is None else int(found["feature_level"])


def _processes(log: Log) -> frozenset[int]:
    found = (process_of(log.data / f"member-{at}") for at in range(3))
    return frozenset(process for process in found if process is not None)


@pytest.mark.timeout(300)
def test_notes_that_are_gone_are_written_again_and_a_sleeper_is_not_waited_for(
    tmp_path: Path,
) -> None:
    """A write that fails ends nothing, and is told; who asks meanwhile is told as much."""
    with log_in(tmp_path) as log:
        log.start()
        eventually("there is a log", lambda: log.file.exists(), timeout_s=WAIT_S)
        log.settled(3)
        members, notes = _processes(log), log.data / "platform.json"
        in_the_way = log.data / "platform.json.new"
        in_the_way.mkdir()
        notes.unlink()
        eventually("it says so", lambda: "can't be written" in log.failing(), timeout_s=WAIT_S)
        assert "`replog up` runs there" in log.refused("plan")
        in_the_way.rmdir()
        eventually("they are back", notes.exists, timeout_s=WAIT_S)
        log.settled(3)
        assert _processes(log) == members, "members run on"
        text = log.file.read_text()
        log.file.write_text(text.replace("spec:\n", "spec:\n  hibernate: true\n"))
        assert "spec.hibernate is set" in log.type("scale", "5")


@pytest.mark.timeout(400)
def test_it_may_die_while_it_replaces_and_while_it_takes_a_version_back(tmp_path: Path) -> None:
    """A lost disk at ordinal 0, and a broken program: each gone on from by the next one."""
    with log_in(tmp_path) as log:
        log.start()
        eventually("there is a log", lambda: log.file.exists(), timeout_s=WAIT_S)
        log.settled(3)
        load = Load(log.endpoints)
        log.end()
        (log.data / "member-0").rename(tmp_path / "lost")
        for name in ("after-start", "before-target", "after-target"):
            log.start(name)
            log.died()
        log.start()
        log.settled(3)
        log.annotate(BROKEN)
        log.end()
        for name in ("before-stop", "after-stop"):  # of the canary, then of the way back
            log.start(name)
            log.died()
        log.start()
        eventually("it is given up", lambda: "BadVersion" in log.type("plan"), timeout_s=WAIT_S)
        eventually("all run", lambda: len(_processes(log)) == 3, timeout_s=WAIT_S)
        log.annotate("")
        log.settled(3)
        load.end()


@pytest.mark.timeout(700)
def test_it_may_die_at_every_write_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """Each place in an order in which it is reached: found, 3→5→3→5→3, a roll to a newer build."""
    points = list(LOCAL_NAMES)
    with log_in(tmp_path) as log:

        def dies(*names: str) -> None:
            for name in names:
                log.start(name)
                log.died()
                points.remove(name)

        def becomes(replicas: int) -> None:
            log.start()
            log.settled(replicas)
            log.end()

        dies("before-state", "after-state", "before-start", "after-start")
        dies("before-bootstrap", "after-bootstrap", "before-target", "after-target")
        log.start()
        log.settled(3)
        load = Load(log.endpoints)
        log.end()
        _asks(log, 5)
        becomes(5)
        _asks(log, 3)
        dies("before-stop")
        becomes(3)
        _asks(log, 5)
        dies("before-aside", "after-aside")
        becomes(5)
        _asks(log, 3)
        dies("after-stop")
        log.start()
        log.settled(3)
        log.annotate(NEWER)
        log.end()
        dies("before-transfer", "before-raise-feature-level", "after-raise-feature-level")
        log.start()
        log.settled(3)
        log.annotate(f"{NEWER} --segment-bytes 8388608")
        log.end()
        dies("after-transfer")
        log.start()
        log.settled(3)
        load.end()
    assert points == [], "a place that is not reached"


@pytest.mark.timeout(900)
def test_it_dies_before_and_after_each_write_of_a_scale_a_replacement_and_a_roll(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One dies before a write, the next one after it, and so on until nothing is left to do."""
    deaths = []
    with log_in(tmp_path) as log:
        log.start()
        eventually("there is a log", lambda: log.file.exists(), timeout_s=WAIT_S)
        log.settled(3)
        load = Load(log.endpoints)
        log.crash()
        for replicas in (5, 3):
            _asks(log, replicas)
            deaths.append(_dies_all_the_way(log, replicas))
        (log.data / "member-1").rename(tmp_path / "lost")
        deaths.append(_dies_all_the_way(log, 3))
        log.annotate(NEWER)
        deaths.append(_dies_all_the_way(log, 3))
        log.start()
        log.settled(3)
        load.end()
    record_property(SHOWN, f"replog up died {deaths} times in 3→5, 5→3, a replacement, a roll")
    assert min(deaths) >= 2, deaths


def _dies_all_the_way(log: Log, replicas: int) -> int:
    """How many died before there was nothing more to do."""
    for deaths in range(DEATHS_MAX):
        log.start(f"#{OWN_PLACES + 1 + deaths % 2}")
        if not log.dies_or_settles(replicas):
            log.crash()
            return deaths
    raise AssertionError(f"{DEATHS_MAX} died, and there is still something to do")


def _asks(log: Log, replicas: int) -> None:
    assert "does not run there" in log.type("scale", str(replicas))
