"""A run that is killed leaves some hundred MiB of images: the next one removes them."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.torture.folder import KEPT, PREFIX, claimed, clear_up, sweep

RUN = """
import time
from tests.torture.folder import claimed
with claimed() as folder:
    (folder / "disk-0.img").write_bytes(b"x")
    (folder / "logs").mkdir()
    (folder / "logs" / "member-0.log").write_text("what it said")
    print(folder, flush=True)
    time.sleep(600)
"""
"""A run, as far as its folder goes."""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of this test alone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@contextmanager
def _run() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A run that lives, and its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_the_images_of_a_killed_run_are_removed_and_its_logs_kept(tmp_path: Path) -> None:
    with _run() as (process, folder):
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        assert (folder / "disk-0.img").exists()
        kept = folder.with_name(folder.name + KEPT)
        assert sweep() == [kept]
        assert list(tmp_path.iterdir()) == [kept]
        assert (kept / "member-0.log").read_text() == "what it said"
        assert sweep() == [], "what was kept is no run's folder"
        assert kept.exists()


def test_a_run_that_lives_keeps_its_folder() -> None:
    with _run() as (_, folder):
        assert sweep() == []
        assert (folder / "disk-0.img").exists()


def test_a_folder_that_its_run_has_not_locked_yet_stays(tmp_path: Path) -> None:
    folder = tmp_path / f"{PREFIX}new"
    folder.mkdir()
    assert sweep() == [] and folder.exists()


def test_a_link_of_that_name_leads_to_nothing_that_is_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(precious)
    (tmp_path / f"{PREFIX}file").touch()
    assert sweep() == [] and (precious / "file").exists()


def test_a_run_that_went_well_leaves_nothing(tmp_path: Path) -> None:
    with claimed() as folder:
        (folder / "logs").mkdir()
        assert clear_up(folder, keep=False) is None
    assert list(tmp_path.iterdir()) == []
