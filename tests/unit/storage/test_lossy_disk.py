"""The lossy disk keeps what was synced, loses some of the rest, and says how much."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from replog_node.storage.disk import Sync
from tests.support.lossydisk import LossyDisk
from tests.unit.storage.building import (
    CLUSTER,
    LINEAGE,
    appending,
    chained,
    cutting,
    data,
    opened,
    voting,
    whole_log,
)

ENTRIES = chained([data(900), data(1800), data(300), data(5000), data(700)])

CHILD = """
import sys
from pathlib import Path
from tests.support.lossydisk import LossyDisk, block_signal
from replog_node.storage.disk import Sync
block_signal()
disk = LossyDisk(Path(sys.argv[1]))
disk.start_watching()
file = disk.create("synced", 0)
file.write(0, b"s" * 5000)
file.sync(Sync.BLOCK)
disk.sync_directory(Sync.SEGMENT_NAME)
file.write(5000, b"u" * 512 * 200)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_store_over_it_works_across_restarts_and_cuts(tmp_path: Path) -> None:
    store = opened(LossyDisk(tmp_path / "data"))
    store.assign(CLUSTER, LINEAGE)
    for entry in ENTRIES:
        store.write([appending(entry)])
    store.write([voting(2, "m"), cutting(ENTRIES[2].position)])
    assert whole_log(store) == ENTRIES[:3]
    store.close()
    again = opened(LossyDisk(tmp_path / "data"))
    assert whole_log(again) == ENTRIES[:3]
    assert again.hard_state.voted_for == "m"
    again.close()


@pytest.mark.parametrize("seed", range(6))
def test_what_a_store_acknowledged_survives_a_power_loss(tmp_path: Path, seed: int) -> None:
    disk = LossyDisk(tmp_path / "data")
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    for entry in ENTRIES:
        store.write([appending(entry)])
    disk.lose_power(Random(seed))
    disk.close()
    again = opened(LossyDisk(tmp_path / "data"))
    assert whole_log(again) == ENTRIES
    again.close()


def test_with_a_sync_left_out_a_power_loss_takes_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLOG_LOSSY_LEAVE_OUT", Sync.BLOCK.name)
    disk = LossyDisk(tmp_path / "data")
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    store.write([appending(*ENTRIES[:2])])
    report = disk.lose_power(Random(1))
    disk.close()
    assert report.dropped_bytes > 0 and report.torn > 0
    again = opened(LossyDisk(tmp_path / "data"))
    assert len(whole_log(again)) < 2
    again.close()


def test_what_is_reserved_is_there_for_a_node_on_a_real_disk_that_is_full_later(
    tmp_path: Path,
) -> None:
    disk = LossyDisk(tmp_path / "data")
    disk.create("file", 1 << 20).sync(Sync.SEGMENT)
    disk.sync_directory(Sync.SEGMENT_NAME)
    disk.close()
    assert (tmp_path / "data" / "file").stat().st_blocks * 512 >= 1 << 20


def test_the_signal_tears_what_is_unsynced_reports_it_and_kills_the_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "data")]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "REPLOG_LOSSY_SEED": "3"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGUSR1)
        assert child.wait(10) == -signal.SIGKILL
    content = (tmp_path / "data" / "synced").read_bytes()
    assert content[:5000] == b"s" * 5000
    assert content.count(b"u") < 512 * 200
    [line] = (tmp_path / "data.lossy.jsonl").read_text().splitlines()
    report = json.loads(line)
    assert report["torn"] == 1
    assert report["kept_bytes"] == content.count(b"u") > 0
    assert report["dropped_bytes"] + report["kept_bytes"] == 512 * 200
