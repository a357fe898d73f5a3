"""Where a test lets the operator die (replog_operator/failpoints.py)."""

import subprocess
import sys

import pytest

from replog_operator.failpoints import (
    EXIT_FAILPOINT,
    NAMES,
    VARIABLE,
    UnknownFailpoint,
    failpoint,
)


def test_without_the_variable_no_place_is_deadly() -> None:
    script = (
        "import os; from replog_operator.failpoints import NAMES, failpoint;"
        "reach = failpoint(os.environ); [reach(name) for name in NAMES]; print(len(NAMES))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, f"{len(NAMES)}\n")


def test_a_process_dies_at_the_place_that_is_named_and_at_no_other() -> None:
    script = (
        "import os; from replog_operator.failpoints import failpoint;"
        "reach = failpoint(os.environ); reach('before-apply'); print('still here', flush=True);"
        "reach('after-apply'); print('too far')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={VARIABLE: "after-apply"}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (EXIT_FAILPOINT, "still here\n")


def test_a_name_that_there_is_not_is_a_fault() -> None:
    with pytest.raises(UnknownFailpoint, match="before-create"):
        failpoint({VARIABLE: "nowhere"})


def test_a_process_dies_at_the_place_that_is_counted() -> None:
    script = (
        "import os; from replog_operator.failpoints import failpoint;"
        "reach = failpoint(os.environ); reach('before-apply'); print('still here', flush=True);"
        "reach('before-delete'); print('too far')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={VARIABLE: "#2"}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (EXIT_FAILPOINT, "still here\n")


def test_a_place_that_is_not_listed_is_noticed_by_whoever_goes_through_them() -> None:
    with pytest.raises(UnknownFailpoint, match="not in the list"):
        failpoint({VARIABLE: "after-apply"})("before-something-new")
