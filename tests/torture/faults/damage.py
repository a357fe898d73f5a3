"""Flipped bits in one member's files, below what its disk's mark covers; repaired before the next.

That is the declared limit: behind the mark a flip can't be told from a write that power cut short.
Must not know: when it happens. Read next: ../../integration/test_damage.py.
"""

import re
import time
from pathlib import Path
from random import Random

from replog_node.storage.verify import check_path
from tests.support.processes import ask, eventually
from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab, Member

MISSING = frozenset({"HoleBeingFilled", "UnfillableHole", "Unproven", "NotCaughtUp", "NoLeader"})
VALUE = re.compile(rb"/[0-9]+/")
"""What every value of a client has in it."""

SHORT = 40
"""The last bytes of a file that are surely its content."""

FOUND_S = 30.0
"""So soon a reader has come by."""


def flip_stopped(lab: Lab, random: Random) -> Seen:
    """In a stopped member: a segment, an index, a copy of term and vote, or a snapshot.

    Seen: `check` finds that file unsound, and once it runs again the member misses nothing.
    """
    with lab.victim(random) as member:
        member.kill()
        path = random.choice(_files(member))
        _flip(path, random)
        unsound = [f["file"] for f in check_path(str(member.directory)) if not f["sound"]]
        member.start()
        eventually(f"{member.name} is whole again", lambda: _whole(member), lab.patience_s)
        return Seen(path.name in unsound, f"{member.name}: {path.name}; unsound: {unsound}")


def flip_running(lab: Lab, random: Random) -> Seen:
    """In a finished segment of a running member, whose log is read until it finds that.

    (Its scrub would, too, within an hour or two.) Seen: it says that a part is lost, later whole.
    """
    with lab.victim(random) as member:
        while not (readable := _readable(member)):
            lab.pad()
        path = random.choice(readable)
        before = member.said().count("log_hole")
        _flip(path, random)
        began_s = time.monotonic()
        eventually("it finds the damage", lambda: _found(member, before), FOUND_S)
        found_s = time.monotonic() - began_s
        eventually(f"{member.name} is whole again", lambda: _whole(member), lab.patience_s)
        return Seen(True, f"{member.name}: {path.name}, found after {found_s:.0f} s, whole again")


def _found(member: Member, before: int) -> bool:
    """Whether it has told of a hole since; else read what it has, as far as it gives it."""
    at, end = "earliest", ""
    while at != end and member.said().count("log_hole") == before:
        path = f"/v1/records?from={at}&limit=10000&max_bytes=4194304&consistency=local"
        page = ask("GET", member.client, path)
        at, end = str(page["next_offset"]), str(page["end_offset"])
    return member.said().count("log_hole") > before


def _finished(member: Member) -> list[Path]:
    """The member's segments but the newest two: one of them is written to."""
    return sorted(member.directory.glob("*.seg"))[:-2]


def _readable(member: Member) -> list[Path]:
    """Those of them that readers go through: nothing in them is trimmed."""
    start = member.status()["log_start_offset"]
    return [path for path in _finished(member) if int(path.name.partition(".")[0]) >= start]


def _files(member: Member) -> list[Path]:
    """Files of a stopped member of which any byte may rot."""
    found = [_finished(member)]
    found += [sorted(member.directory.glob(f"*.{kind}")) for kind in ("sum", "snap")]
    one_of_each = [files[-1] for files in found if files]
    return [*one_of_each, member.directory / "hardstate.a", member.directory / "hardstate.b"]


def _flip(path: Path, random: Random) -> None:
    """Flip one bit of something that counts: not of what fills a file up."""
    content = path.read_bytes().rstrip(b"\0")
    values = [found.start() for found in VALUE.finditer(content)] if path.suffix == ".seg" else []
    at = random.choice(values) if values else len(content) - 1 - random.randrange(SHORT)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([content[at] ^ 1 << random.randrange(8)]))


def _whole(member: Member) -> bool:
    return not MISSING & member.waits().keys()


DAMAGE = (
    Fault("flipped bit, stopped", "disks", flip_stopped, alone=True),
    Fault("flipped bit, running", "disks", flip_running, alone=True),
)
