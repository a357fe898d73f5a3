"""The log that every member shows at the end, byte by byte.

Decides: when two members' logs differ. Must not know: what clients were told.
Read next: verdict.py.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
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
from tests.support.processes import Node, Refused, call

FRAMES = {"Accept": "application/vnd.replog.frames"}
CHANGES = ("enter-joint", "leave-joint")


def log_of(node: Node, start: int | None = None) -> list[Entry]:
    """The committed log from there, or from where it begins, as this member shows it.

    Read linearizably; each entry is proven. Raises Refused, OSError.
    """
    found: list[Entry] = []
    at, end = "earliest" if start is None else str(start), ""
    while at != end:
        path = f"/v1/records?from={at}&limit=10000&max_bytes=4194304"
        status, body, headers = call("GET", node.client, path, headers=FRAMES, timeout_s=60)
        if status != 200:
            raise Refused(status, body.decode())
        found += _entries(body)
        at = str(found[-1].last + 1) if found else headers["replog-next-offset"]
        end = headers["replog-end-offset"]
    return found


def _entries(frames: bytes) -> list[Entry]:
    found = []
    at = 0
    while at < len(frames):
        length = frame_header(frames, at).length
        found.append(decode_entry(frames[at : at + length]))
        at += length
    return found


def whole_log(trimmed: Sequence[Entry], retained: Sequence[Entry]) -> list[Entry]:
    """What was read before it was trimmed, and what is there now behind that."""
    end = trimmed[-1].last if trimmed else -1
    return [*trimmed, *(entry for entry in retained if entry.base > end)]


def differences(whole: Sequence[Entry], logs: Mapping[str, Sequence[Entry]]) -> list[str]:
    """Where this log breaks off, and where what a member has of it is something else."""
    faults = [
        f"the chain breaks at {after.base}"
        for before, after in pairwise(whole)
        if not succeeds(tail_of(before), after)
    ]
    for name, entries in logs.items():
        pairs = zip(reversed(whole), reversed(entries), strict=False)
        other = next((a.base for a, b in pairs if a.frame != b.frame), None)
        if other is not None or not entries or whole[0].base != 0:
            faults.append(f"the log of {name} is another one, last at {other}")
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
