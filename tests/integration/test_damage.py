"""Bytes rot on the disks of real members: what is lost is never served, and comes back from others.

A minority in turn, then every member at once in different places. Afterwards the files hold again
what they held, and nothing that was acknowledged is missing.
"""

import random
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import open_store
from replog_node.storage.verify import check_path
from tests.integration.load import OCTETS
from tests.support.processes import Cluster, Node, Refused, ask, cluster, eventually

RECORDS = 60
IDLE_S = 0.3
"""After so long every disk's mark covers everything (io_thread.IDLE_S, and room to spare)."""


def value(number: int) -> bytes:
    return f"record {number:04d} ".encode() * 150


def fill(nodes: Cluster) -> None:
    """Append the records, one entry each, so that damage hits few of them."""
    leader = nodes.leader()
    for number in range(RECORDS):
        ask("POST", leader.client, "/v1/records", value(number), headers=OCTETS)
    nodes.settled()
    time.sleep(IDLE_S)


def flip(node: Node, number: int, generator: random.Random) -> None:
    """Flip a byte of this record in the stopped member's log."""
    (path,) = [path for path in node.directory.glob("*.seg") if value(number) in path.read_bytes()]
    at = path.read_bytes().index(value(number)) + generator.randrange(len(value(number)))
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ (1 << generator.randrange(8))]))


def stored(node: Node) -> tuple[Entry, ...]:
    """Every entry in a stopped member's files, each one proven. It must have no hole."""
    store = open_store(
        OsDisk(node.directory), StoreLimits(),
        new_member_id=lambda: MemberId("nobody"), random64=lambda: 1,
    )  # fmt: skip
    try:
        assert not store.holes and store.unproven is None
        found: list[Entry] = []
        while more := store.read(Offset(found[-1].last + 1 if found else 0), 1 << 24):
            found += more
        return tuple(found)
    finally:
        store.close()


class Reading:
    """Reads one member's own copy as long as the block lasts; remembers all that it gave out."""

    def __init__(self, node: Node) -> None:
        self.seen: set[bytes] = set()
        self._node = node
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> "Reading":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _read(self) -> None:
        at = 0
        while not self._stop.is_set():
            path = f"/v1/records?from={at}&limit=7&consistency=local"
            try:
                page = ask("GET", self._node.client, path, timeout_s=5)
            except (OSError, Refused):
                at = (at + 5) % RECORDS  # a hole: look behind it
                continue
            self.seen |= {record.get("value", "").encode() for record in page["records"]}
            at = page["next_offset"] if page["next_offset"] < page["end_offset"] else 0


def whole(node: Node) -> bool:
    """Whether the member misses nothing of its log."""
    waits = {wait["code"] for wait in ask("GET", node.peer, "/v1/why")["waits"]}
    return not waits & {"HoleBeingFilled", "UnfillableHole", "Unproven", "NotCaughtUp"}


def check(nodes: Cluster) -> None:
    """Everybody gives out every record; then the files are as sound and as equal as ever."""
    nodes.settled()
    for node in nodes.nodes:
        assert [found for _, found in nodes.records(node)] == [value(n) for n in range(RECORDS)]
    for node in nodes.nodes:
        node.signal(signal.SIGTERM)
    for node in nodes.nodes:
        assert node.wait() == 0
    logs = [stored(node) for node in nodes.nodes]
    common = min(map(len, logs))
    assert logs[0][:common] == logs[1][:common] == logs[2][:common]
    held = b"".join(entry.frame for entry in logs[0][:common])
    assert all(value(number) in held for number in range(RECORDS))


@pytest.mark.timeout(150)
def test_damage_on_a_minority_in_turn_is_never_served_and_is_repaired(tmp_path: Path) -> None:
    generator = random.Random(4)
    sound = {value(number) for number in range(RECORDS)}
    with cluster(tmp_path) as three:
        three.found()
        fill(three)
        for number, node in enumerate(three.nodes):
            node.kill()
            for place in (3, 17, 18, 44):
                flip(node, place + number, generator)
            with Reading(node) as reading:
                node.start()
                eventually("it is whole again", partial(whole, node))
                eventually("it gives out everything", partial(sound.issubset, reading.seen))
            assert reading.seen == sound
            assert "log_hole" in node.said() and "log_whole" in node.said()
            three.settled()
        check(three)


@pytest.mark.timeout(150)
def test_different_damage_on_every_member_at_once_loses_nothing(tmp_path: Path) -> None:
    generator = random.Random(5)
    with cluster(tmp_path) as three:
        three.found()
        fill(three)
        for node in three.nodes:
            node.kill()
        for number, node in enumerate(three.nodes):
            for place in range(number, RECORDS - 3, 12):
                flip(node, place, generator)
        three.start()
        for node in three.nodes:
            eventually("it is whole again", partial(whole, node))
            assert "log_hole" in node.said()
        check(three)


def snapshots(node: Node) -> list[Path]:
    """The member's snapshots."""
    return list(node.directory.glob("*.snap"))


def damaged(node: Node) -> set[str]:
    """The last parts of the names of a stopped member's files that are not sound."""
    found = check_path(str(node.directory))
    return {str(each["file"]).rpartition(".")[2] for each in found if not each["sound"]}


def rot(path: Path, generator: random.Random, last: int | None = None) -> None:
    """Flip a bit of a stopped member's file, before its padding; or of its last bytes."""
    content = bytearray(path.read_bytes())
    end = len(content.rstrip(b"\0"))
    at = end - 1 - generator.randrange(last or end)
    content[at] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


@pytest.mark.timeout(150)
def test_damage_of_every_kind_of_file_in_turn_is_repaired(tmp_path: Path) -> None:
    """A finished segment, an index, one copy of term and vote, and a snapshot, each at each."""
    generator = random.Random(6)
    sound = {value(number) for number in range(RECORDS)}
    with cluster(tmp_path) as three:
        three.found()
        fill(three)
        for node in three.nodes:  # what they have written is a finished segment from now on
            node.kill()
        three.start()
        three.settled()
        ask("POST", three.leader().peer, "/v1/log:snapshot")
        for node in three.nodes:
            eventually("it has a snapshot", partial(snapshots, node))
        for number, node in enumerate(three.nodes):
            time.sleep(IDLE_S)
            node.kill()
            flip(node, 5 + number, generator)
            (summary, *_) = sorted(node.directory.glob("*.sum"))
            rot(summary, generator)
            rot(node.directory / f"hardstate.{'ab'[number % 2]}", generator)
            rot(snapshots(node)[0], generator, last=50)
            assert damaged(node) == {"seg", "sum", "snap", f"{'ab'[number % 2]}"}
            with Reading(node) as reading:
                node.start()
                eventually("it is whole again", partial(whole, node))
                eventually("it gives out everything", partial(sound.issubset, reading.seen))
            assert reading.seen == sound
            three.settled()
        check(three)
        for node in three.nodes:
            assert [found for found in check_path(str(node.directory)) if not found["sound"]] == []
