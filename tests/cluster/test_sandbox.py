"""A cluster leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.node import Cluster
from tests.cluster.runs import HIERARCHIES, RUNS, group, run_directory
from tests.cluster.versions import ROOT
from tests.support.processes import eventually

GONE_S = 60
MAKER = """
import sys, time
from tests.cluster.runs import run_directory
from tests.cluster.sandbox import Sandbox
with run_directory() as directory:
    sandbox = Sandbox(directory, "/usr/sbin:/usr/bin:/sbin:/bin")
    print(directory.name, sandbox.first, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def made() -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """A process with a sandbox of its own; its directory and the first process in it."""
    with subprocess.Popen(
        [sys.executable, "-c", MAKER], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as maker:  # fmt: skip
        assert maker.stdout is not None
        name, first = maker.stdout.readline().split()
        yield maker, RUNS / name, int(first)
        maker.kill()


def groups(directory: Path) -> list[Path]:
    return list(HIERARCHIES.rglob(group(directory)))


def test_killed_with_its_maker_it_is_gone_and_the_next_run_clears_up_after_it(
    made: tuple[subprocess.Popen[str], Path, int],
) -> None:
    maker, directory, first = made
    assert groups(directory) != []

    maker.kill()

    eventually("its processes are gone", lambda: not Path(f"/proc/{first}").exists(), GONE_S)
    with run_directory() as another:
        assert not directory.exists()
        assert groups(directory) == []
    assert not another.exists()
    assert groups(another) == []


def test_what_another_run_holds_is_left_alone(
    made: tuple[subprocess.Popen[str], Path, int],
) -> None:
    _, directory, first = made

    with run_directory():
        assert directory.exists()
        assert groups(directory) != []
        assert Path(f"/proc/{first}").exists()


def test_a_daemon_that_is_killed_comes_back_and_is_another_process(cluster: Cluster) -> None:
    daemon = cluster.daemons["kube-scheduler"]

    daemon.signal(signal.SIGSTOP)
    daemon.kill()
    assert not daemon.alive
    daemon.start()

    assert daemon.alive


@pytest.fixture(scope="module")
def machines_links() -> str:
    """The network devices of the machine: a test's own network is entered after this."""
    done = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    return done.stdout


def test_its_network_and_its_mounts_are_not_the_machines(
    cluster: Cluster, machines_links: str
) -> None:
    assert "node0" in cluster.sandbox.run("ip", "-o", "link")
    assert "node0" not in machines_links
    assert str(cluster.directory) in cluster.sandbox.run("cat", "/proc/mounts")
    assert str(cluster.directory) not in Path("/proc/mounts").read_text()
