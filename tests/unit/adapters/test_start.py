"""How a start ends that the disk refuses: its exit code says whether another one can help."""

from pathlib import Path

import pytest

from replog_node.app import EXIT_DATA, EXIT_FAILED, run
from replog_node.storage.disk import Disk, DiskError


@pytest.mark.parametrize(("full", "code"), [(True, EXIT_FAILED), (False, EXIT_DATA)])
def test_a_full_disk_may_have_room_at_the_next_start(
    tmp_path: Path, *, full: bool, code: int
) -> None:
    def refuse(path: Path) -> Disk:
        raise DiskError(f"create {path}: no", full=full)

    assert run(["--data-dir", str(tmp_path)], open_disk=refuse) == code
