"""Faults of disks: slow, hanging, really full.

Must not know: when they happen. Read next: ../../support/stalling_node.py, small_filesystems.py.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.support.processes import eventually
from tests.support.stalling_node import stall_file
from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab, Member

SLOW_MS = 150
"""How much longer each sync takes on a slow disk."""

SEEN_S = 15.0
FULL_BYTES = 64 * 1024


@contextmanager
def _stalled(member: Member, how: str) -> Iterator[None]:
    """Its disk hangs (""), or each sync takes so many milliseconds longer."""
    file = stall_file(member.directory)
    file.write_text(how)
    try:
        yield
    finally:
        file.unlink()


def slow_disk(lab: Lab, random: Random) -> Seen:
    """Each sync takes longer. Seen: the member's own measure of its syncs."""
    with lab.victim(random) as member:
        before = _syncs(member)
        with _stalled(member, str(SLOW_MS)):
            time.sleep(random.uniform(3, 5))
            after = _syncs(member)
        count, seconds = after[0] - before[0], after[1] - before[1]
        mean_ms = 1000 * seconds / max(1, count)
        return Seen(
            mean_ms > SLOW_MS / 2, f"{member.name}: {count:.0f} syncs, {mean_ms:.0f} ms each"
        )


def _syncs(member: Member) -> tuple[float, float]:
    """How many syncs there were, and how long they took together."""
    name = "replog_fsync_seconds"
    return member.metric(f"{name}_count"), member.metric(f"{name}_sum")


def hanging_disk(lab: Lab, random: Random) -> Seen:
    """No sync returns for seconds. Seen: the member says that its disk is slow, or stalled."""
    with lab.victim(random) as member:
        hold_s = random.uniform(2, 5)
        began_s = time.monotonic()
        with _stalled(member, ""):
            said = eventually(
                "it says so", lambda: _said(member, "DiskSlow", "DiskStalled"), SEEN_S
            )
            time.sleep(max(0.0, began_s + hold_s - time.monotonic()))
        return Seen(bool(said), f"{member.name}: {said}")


def _said(member: Member, *codes: str) -> str:
    """What it says of one of these waits, which name its directory."""
    waits = member.waits()
    texts = [waits[code] for code in codes if code in waits]
    return next((text for text in texts if str(member.directory) in text), "")


def full_disk(lab: Lab, random: Random) -> Seen:
    """No block is free on one member's file system. Seen: the system's count, and what it says."""
    with lab.victim(random) as member:
        member.disk.fill()
        try:
            said = eventually("it says so", lambda: _said(member, "DiskFull"), SEEN_S)
            time.sleep(random.uniform(1, 3))
            member.disk.fill()  # what it has given back meanwhile
            free = member.disk.free_bytes
        finally:
            member.disk.free()
        eventually("there is room", lambda: not _said(member, "DiskFull"), SEEN_S)
        return Seen(free < FULL_BYTES and bool(said), f"{member.name}: {free} bytes free: {said}")


def all_full(lab: Lab, random: Random) -> Seen:
    """As above, of all members at once. Seen: as above, and appends refused with disk_full."""
    before = lab.journal.refusals["disk_full"]
    for member in lab.members:
        member.disk.fill()
    try:
        eventually("it is refused", lambda: lab.journal.refusals["disk_full"] > before + 3, SEEN_S)
        time.sleep(random.uniform(1, 3))
        for member in lab.members:
            member.disk.fill()  # what it has given back meanwhile
        free = [member.disk.free_bytes for member in lab.members]
    finally:
        for member in lab.members:
            member.disk.free()
    refused = lab.journal.refusals["disk_full"] - before
    return Seen(max(free) < FULL_BYTES and refused > 0, f"{free} bytes free, {refused} refused")


DISKS = (
    Fault("slow disk", "disks", slow_disk),
    Fault("hanging disk", "disks", hanging_disk),
    Fault("full disk", "disks", full_disk),
    Fault("all disks full", "disks", all_full, alone=True),
)
