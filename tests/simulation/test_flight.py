"""What members did under faults, done again from what their flight recorders hold.

So a core says the same to the same events, whatever has happened, and nothing that it knows is
missing in a checkpoint or a step (replog_node/driver/replay.py).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from replog_node.driver.flight import Recording, unpack
from replog_node.driver.replay import replay
from tests.simulation.faults import KINDS
from tests.simulation.run import simulate
from tests.simulation.world import World
from tests.unit.driver.rig import Rig, batch

ROOT: Final = Path(__file__).resolve().parents[2]

STEPS_LEAST: Final = 500
"""A run in which cores did less would prove little."""

TOO_EARLY: Final = ("s.log.ticket_for(match.offset) if ok else 0", "0")
"""A follower that acknowledges before its disk has it (raft/follower.py)."""

RUN_AGAIN: Final = """
import sys
from replog_node.adapters.flights import replay_path
for last in replay_path(sys.argv[1]):
    pass
print(last["step"], last["difference"])
"""


def _recordings(world: World) -> list[Recording]:
    """The rings of the members that live and have a core."""
    drivers = [node.driver for node in world.nodes if node.driver is not None]
    found = [unpack(driver.recording(build="", why="simulation")) for driver in drivers]
    return [recording for recording in found if recording.generations]


@pytest.mark.timeout(300)
def test_every_member_of_a_run_does_the_same_again() -> None:
    steps = 0
    for seed in (1, 2):
        for recording in _recordings(simulate(seed, members=5, kinds=KINDS, seconds=10)):
            for outcome in replay(recording):
                assert outcome.difference is None, f"seed {seed}, step {outcome.number}"
                steps += 1
    assert steps >= STEPS_LEAST


def _altered(into: Path, old: str, new: str) -> Path:
    """A copy of the package whose follower is another; where it lies."""
    copy = into / "replog_node"
    shutil.copytree(
        ROOT / "node" / "replog_node", copy, ignore=shutil.ignore_patterns("__pycache__")
    )
    source = (copy / "raft" / "follower.py").read_text()
    assert source.count(old) == 1
    (copy / "raft" / "follower.py").write_text(source.replace(old, new))
    return into


def _last_of(recording: Path, *packages: Path) -> str:
    """The number of the last step that is run again by these packages, and how it differs."""
    path = os.pathsep.join(str(each) for each in (*packages, ROOT / "node"))
    done = subprocess.run(
        [sys.executable, "-c", RUN_AGAIN, str(recording)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_core_that_does_otherwise_is_told_by_the_first_step_in_which_it_does(
    tmp_path: Path,
) -> None:
    rig = Rig(3).found()
    rig.nodes[0].append(batch("a"))
    rig.deliver()
    recording = tmp_path / "r.flight"
    recording.write_bytes(rig.nodes[1].driver.recording(build="", why="asked"))
    outcomes = list(replay(unpack(recording.read_bytes())))
    first = next(outcome.number for outcome in outcomes if outcome.step.persisted)
    assert _last_of(recording) == f"{len(outcomes)} None"
    told = _last_of(recording, _altered(tmp_path / "altered", *TOO_EARLY))
    assert told.startswith(f"{first} effect ")
    assert "after_ticket=0" in told.partition("; now: ")[2]
    assert "after_ticket=0" not in told.partition("; now: ")[0]
