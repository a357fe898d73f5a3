"""What is left of a log whose majority is gone: as a survey found it, as a person decides of it.

Decides: the words. Must not know: what follows from them (planner/recovery.py), how they are kept.
Read next: replog.wire.recovery, observed.py.
"""

import re
from typing import NamedTuple


class Surveyed(NamedTuple):
    """What a member had when it was fenced. pod: its name. votes: by the best one's configuration;
    the rest as `Survey` has it."""

    member: str
    pod: str
    fenced: bool
    last_term: int
    last_offset: int
    chain: str
    commit_offset: int
    whole: bool
    votes: bool


class Missing(NamedTuple):
    """A voter that gave no survey. pod: where it should be, "" if nobody knows."""

    member: str
    pod: str


class Report(NamedTuple):
    """A survey that ended. lineage: number of the one that was surveyed. best: the id of the member
    that has most of those that can go on, "" if none can. text: for people."""

    lineage: int
    best: str = ""
    members: tuple[Surveyed, ...] = ()
    missing: tuple[Missing, ...] = ()
    text: str = ""


class Ended(NamedTuple):
    """A survey's task that ended. operation: that fenced. report: None if the survey failed."""

    operation: str
    report: Report | None

    @property
    def begins(self) -> int:
        """The number that a recovery by this survey would begin; 0 if there can be none."""
        return 0 if self.report is None else self.report.lineage + 1


class Decided(NamedTuple):
    """Which lineage is in force for whoever reads it: written before a member is forced to go on in
    it. number: 0 before any was raised. survivor: the only member that may begin it."""

    number: int = 0
    survivor: str = ""


def fence_of(task_uid: str) -> str:
    """The operation by which a survey's task fences members."""
    return f"survey-{task_uid}"


def number_of(lineage: str | None) -> int:
    """The number of a lineage, as members and notes write it (`2.9f2c`, or the number alone)."""
    found = re.match(r"\d{1,18}", lineage or "", re.ASCII)
    return 0 if found is None else int(found[0])
