"""The log that every member shows at the end, byte by byte.

Decides: when two members' logs differ. Must not know: what clients were told.
Read next: verdict.py.
"""

from collections import Counter
from itertools import pairwise

from replog.wire.batches import records_of
from replog_node.frames.decode import (
    configurations,
    data_batches,
    decode_entry,
    succeeds,
    tail_of,
)
from replog_node.frames.layout import frame_header
from replog_node.model.entries import Entry
from tests.support.processes import Node, call

FRAMES = {"Accept": "application/vnd.replog.frames"}
CHANGES = ("enter-joint", "leave-joint")


def log_of(node: Node) -> list[Entry]:
    """The committed log as this member shows it in linearizable reads; each entry is proven."""
    found: list[Entry] = []
    at, end = 0, 1
    while at < end:
        path = f"/v1/records?from={at}&limit=10000&max_bytes=4194304"
        status, body, headers = call("GET", node.client, path, headers=FRAMES, timeout_s=60)
        if status != 200:
            raise AssertionError(f"{node.client} does not show its log at {at}: {body!r}")
        found += _entries(body)
        at, end = found[-1].last + 1, int(headers["replog-end-offset"])
    return found


def _entries(frames: bytes) -> list[Entry]:
    found = []
    at = 0
    while at < len(frames):
        length = frame_header(frames, at).length
        found.append(decode_entry(frames[at : at + length]))
        at += length
    return found


def differences(logs: dict[str, list[Entry]]) -> list[str]:
    """Where a log breaks off or isn't the first one, in sentences."""
    faults = []
    (first, *_), (common, *_) = zip(*logs.items(), strict=True)
    for before, after in pairwise(common):
        if not succeeds(tail_of(before), after):
            faults.append(f"the chain of {first} breaks at {after.base}")
    for name, entries in logs.items():
        pairs = zip(common, entries, strict=False)
        other = next((a.base for a, b in pairs if a.frame != b.frame), None)
        if other is not None or len(entries) != len(common):
            faults.append(f"the log of {name} isn't that of {first}, at {other}")
    return faults


def records(entries: list[Entry]) -> list[tuple[int, bytes]]:
    """All data records, by offset."""
    return [
        (record.offset, bytes(record.value or b""))
        for entry in entries
        for batch in data_batches(entry)
        for record in records_of(bytes(batch))
    ]


def joint_phases(entries: list[Entry], operations: list[str]) -> list[str]:
    """Which of these changes didn't enter and leave its joint phase exactly once, in sentences."""
    counted = Counter(
        (each.operation, each.change) for entry in entries for _, each in configurations(entry)
    )
    return [
        f"the change {operation} has {counted[operation, change]} times {change}"
        for operation in operations
        for change in CHANGES
        if counted[operation, change] != 1
    ]
