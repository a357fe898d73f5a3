"""A node may open as many files as the system allows, whatever soft limit it was started with."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from replog_node.adapters.descriptors import raise_descriptor_limit
from replog_node.app import EXIT_DATA, run
from replog_node.storage.disk import Disk, DiskError


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The process's own limits, soft and hard, given back after the test."""
    found = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield found
    resource.setrlimit(resource.RLIMIT_NOFILE, found)


def test_the_soft_limit_becomes_the_hard_one(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    assert raise_descriptor_limit() == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_node_raises_its_limit_when_it_starts(limits: tuple[int, int], tmp_path: Path) -> None:
    def refuse(path: Path) -> Disk:
        raise DiskError(f"open {path}: no")

    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    assert run(["--data-dir", str(tmp_path)], open_disk=refuse) == EXIT_DATA
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
