"""The control records of a log as a member has them on its own disk: no counter, no status.

Decides: how they are read, and what of them is a change of the membership.
Must not know: what a test expects.
Read next: records_script.py.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.members import CHANGE_S, Members
from tests.support.processes import eventually

SCRIPT = Path(__file__).parent / "records_script.py"
JOINT = ("enter-joint", "leave-joint")


class Record(NamedTuple):
    """One control record. kind: its class; time_ms: log time of its entry."""

    offset: int
    time_ms: int
    kind: str
    fields: Any
    frame: str


def records(members: Members, log: ManagedLog, ordinal: int) -> list[Record]:
    """All that are committed now, from the disk of this member, which has them by then."""
    newest = members.status(members.leader())["commit_offset"]

    def durable() -> bool:
        status = members.status(ordinal)
        return bool(min(status["commit_offset"], status["durable_offset"]) >= newest)

    eventually(f"{LOG}-{ordinal} has them", durable, CHANGE_S)
    inside = ("exec", "-i", f"{LOG}-{ordinal}", "--", "python", "-", str(newest))
    said = log.kubectl(*inside, said=SCRIPT.read_text())
    return [Record(**json.loads(line)) for line in said.splitlines()]


def joint_changes(found: Iterable[Record]) -> list[tuple[str, str, int]]:
    """Each enter-joint and leave-joint record: which, whose operation, and how many voters then."""
    changes = [record.fields for record in found if record.kind == "ConfigurationChanged"]
    return [
        (change["change"], change["operation"], len(change["configuration"]["voters"]))
        for change in changes
        if change["change"] in JOINT
    ]
