"""Options that all tests share, and the rule that CI leaves nothing out.

A test may be skipped on a machine that lacks what it needs; the run says which and why.
With CI=true the same is a failure, so that a green CI means that everything ran.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.cluster import prepare
from tests.cluster.prepare import Preparation
from tests.simulation.totals import TOTALS, Totals
from tests.support import SHOWN

LEFT_OUT = ("skipped", "xfailed", "deselected")
PROCESSES = (
    "tests/integration/",
    "tests/torture/",
    "tests/unit/local/",
    "tests/docs/test_replay.py",
    "tests/docs/test_client_document.py",
)
"""Tests of real processes: they mostly wait, so one worker takes them, the other all else."""

PARTS = ("tests/simulation/test_swarm.py", "tests/simulation/test_mutants.py")
"""Parts of a folder whose time is told apart."""
TIMED_S = 60.0
"""A shorter run tells no times."""

KUBERNETES = "tests/cluster/"
"""Tests on a real cluster, which is started once."""


def pytest_configure() -> None:
    """Say that there is no event loop yet.

    pytest-asyncio asks for the current one before each coroutine; unasked, asyncio would make one
    that nobody closes, and its warning would fail whichever test runs when it is collected.
    """
    asyncio.set_event_loop(None)
    _be_patient()


def _be_patient() -> None:
    """A slow machine fails no property; CI tries the same examples each time, so that a failure
    there is about the change."""
    settings.register_profile(
        "house",
        deadline=None,
        derandomize=bool(os.environ.get("CI")),
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("replicated log")
    group.addoption("--rewrite", action="store_true", help="write what scenario files now show")
    group.addoption("--seed", type=int, default=None, help="run the simulation for this seed alone")
    group.addoption("--minutes", type=float, default=None, help="of full load, or torture")
    group.addoption("--gigabytes", type=float, default=None, help="in the log whose cost is seen")
    group.addoption("--seeds", type=int, default=None, help="run this many seeds, from 0 on")


class OneClusterAtATime(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives all tests of real processes to one worker, and every other test by itself.

    The largest group is given out first, and the tests on Kubernetes last, together: so long, what
    they need may be built. (Marks of xdist_group have no effect under pytest 9.2.)
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(KUBERNETES):
            return KUBERNETES
        return "processes" if nodeid.startswith(PROCESSES) else nodeid

    def _assign_work_unit(self, node: object) -> None:
        if KUBERNETES in self.workqueue:
            self.workqueue.move_to_end(KUBERNETES)
        super()._assign_work_unit(node)


PREPARED = pytest.StashKey[Preparation | None]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """Build what the tests on Kubernetes need while others run."""
    stash = node.config.stash
    if PREPARED not in stash and any(each.startswith(KUBERNETES) for each in ids):
        stash[PREPARED] = prepare.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End that, should it not be needed any more."""
    if preparation := config.stash.get(PREPARED, None):
        preparation.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneClusterAtATime:
    """Return the scheduler of `-n 2`."""
    return OneClusterAtATime(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == SHOWN:
                terminalreporter.write_line(f"{value}")
    _show_simulation(terminalreporter)
    _show_times(terminalreporter)
    left_out = _left_out(terminalreporter)
    if left_out and os.environ.get("CI"):
        terminalreporter.write_line(f"left out, which CI does not allow: {left_out}", red=True)
    else:
        terminalreporter.write_line(f"left out: {left_out or 'nothing'}")


def _show_times(reporter: pytest.TerminalReporter) -> None:
    """What each part took, of the time of one worker; there are two."""
    took_s: defaultdict[str, float] = defaultdict(float)
    for reports in reporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                took_s[_part(report.nodeid)] += report.duration
    if sum(took_s.values()) >= TIMED_S:
        longest_first = sorted(took_s.items(), key=lambda item: -item[1])
        told = ", ".join(f"{part} {seconds / 60:.1f}" for part, seconds in longest_first)
        reporter.write_line(f"minutes of a worker: {told}")


def _part(nodeid: str) -> str:
    """What a test belongs to, where the issues give each a share of the time."""
    found = next((part for part in PARTS if nodeid.startswith(part)), None)
    return found or "/".join(nodeid.split("/")[:2])


def _show_simulation(reporter: pytest.TerminalReporter) -> None:
    """What all seeds did together, whoever ran them."""
    totals = Totals()
    for report in reporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == TOTALS:
                totals.merge(Totals.decode(str(value)))
    if totals.seeds:
        reporter.write_line("simulation: " + "\n  ".join(totals.lines()))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    failed_anyway = session.exitstatus != pytest.ExitCode.OK
    if os.environ.get("CI") and not failed_anyway and reporter is not None and _left_out(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _left_out(reporter: pytest.TerminalReporter) -> str:
    counts = {kind: len(reporter.stats.get(kind, ())) for kind in LEFT_OUT}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
