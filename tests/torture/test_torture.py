"""Five minutes of torture, as `make torture` does, and nothing that was acknowledged suffers."""

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support import SHOWN
from tests.support.processes import ROOT
from tests.torture import room

MINUTES = 5.0
"""So much CI does; `make torture` and --minutes may do another amount."""

AROUND_S = 240
"""For what comes before and after."""


@pytest.fixture(autouse=True)
def _room() -> None:
    if lacking := room.missing():
        pytest.skip(lacking)


@pytest.mark.timeout(0)  # it depends on --minutes: what is run below has a limit
def test_tortured_members_lose_double_reorder_and_invent_nothing(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    minutes = pytestconfig.getoption("--minutes") or MINUTES
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture", "--minutes", str(minutes)],
        cwd=ROOT, capture_output=True, text=True, timeout=2 * minutes * 60 + AROUND_S,
    )  # fmt: skip
    record_property(SHOWN, done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 duplicated, 0 reordered, 0 phantom, 0 misread" in done.stdout


@pytest.mark.timeout(300)
def test_members_that_leave_out_their_syncs_do_not_pass() -> None:
    """Power fails at all of them: they have lost what they acknowledged, and it is seen."""
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.torture", "--minutes", "0.5", "--patience", "15",
            "--only", "power loss of all",
        ],
        cwd=ROOT, env={**os.environ, "REPLOG_LOSSY_LEAVE_OUT": "BLOCK,MARK"},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"WRONG: (lost:|m. waits for .*(UnfillableHole|Unproven))", done.stdout), (
        done.stdout + done.stderr
    )
