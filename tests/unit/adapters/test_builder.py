"""The helper process that builds snapshots (replog_node/adapters/builder.py)."""

import threading
import time
from pathlib import Path

import pytest

from replog_node.adapters.builder import BuildFailed, HelperProcess
from replog_node.model.configuration import Configuration, Member
from replog_node.model.controls import ConfigurationChanged, LogCreated, SnapshotPoint
from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.effects import Persist
from replog_node.state.applied import AppliedState
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.store import Store
from tests.unit.state.log import CLUSTER, Log, plain
from tests.unit.storage.building import LINEAGE, opened


def written(folder: Path) -> tuple[Store, list[Entry]]:
    """An open store with a short log."""
    log = Log()
    member = Member(MemberId("a"), "a:1")
    log.append(
        LogCreated(CLUSTER, LINEAGE), ConfigurationChanged("found", "o", Configuration((member,)))
    )
    for number in range(5):
        log.append(batches=[plain(b"%d" % number)])
    log.append(SnapshotPoint("call"))
    store = opened(OsDisk(folder))
    store.assign(CLUSTER, LINEAGE, "")
    store.write([Persist(1, None, None, tuple(log.entries))])
    return store, log.entries


def test_it_builds_beside_the_member_that_holds_the_directory(tmp_path: Path) -> None:
    store, entries = written(tmp_path)
    name = HelperProcess(tmp_path)(entries[-1].position)
    snapshot = store.adopt_snapshot(name)
    state = AppliedState()
    for entry in entries:
        state.apply(entry)
    assert snapshot.position == entries[-1].position
    assert store.read_state(snapshot) == state.encode()
    store.close()


def test_where_no_entry_ends_the_last_end_before_counts(tmp_path: Path) -> None:
    store, entries = written(tmp_path)
    within = Position(entries[0].term, Offset(entries[0].last))
    name = HelperProcess(tmp_path)(within)
    assert store.adopt_snapshot(name).position == entries[0].position
    store.close()


def test_what_it_says_when_it_fails_is_told(tmp_path: Path) -> None:
    store, _ = written(tmp_path)
    with pytest.raises(BuildFailed, match="LogDamaged"):
        HelperProcess(tmp_path)(Position(Term(7), Offset(10**6)))
    assert not list(tmp_path.glob("*.tmp"))
    store.close()
    with pytest.raises(BuildFailed, match="exit code 1"):
        HelperProcess(tmp_path / "nowhere")(Position(Term(1), Offset(1)))


def test_one_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="more than"):
        HelperProcess(tmp_path, timeout_s=0.001)(Position(Term(1), Offset(1)))


def test_the_end_of_the_member_ends_it_and_every_later_one(tmp_path: Path) -> None:
    store, entries = written(tmp_path)
    helper = HelperProcess(tmp_path)
    failures: list[BuildFailed] = []

    def build() -> None:
        try:
            while True:
                helper(entries[-1].position)
        except BuildFailed as failure:
            failures.append(failure)

    thread = threading.Thread(target=build)
    thread.start()
    time.sleep(0.05)
    helper.end()
    thread.join(10)
    assert not thread.is_alive() and len(failures) == 1
    with pytest.raises(BuildFailed, match="the member stops"):
        helper(entries[-1].position)
    store.close()
