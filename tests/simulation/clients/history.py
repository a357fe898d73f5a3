"""What clients did, when they began and ended, and what they were told.

Decides: what is written down. Must not know: whether it was right (../oracles/).
Read next: client.py.
"""

from collections import Counter
from dataclasses import dataclass, field

from replog.wire.problems import ApiError
from replog.wire.schemas import Appended


@dataclass
class Attempt:
    """An append: its unique values, when it began and ended, and how (in virtual µs).

    behind: the last record that it was to follow directly (-1: none); instead: which one was the
    last, as the refusal says. resolved: whether it happened, as the answer to that question says.
    """

    values: tuple[bytes, ...]
    began_us: int
    ended_us: int | None = None
    offset: int | None = None
    outcome: str = "unknown"
    session: str = ""
    behind: int | None = None
    instead: int | None = None
    refused_us: int | None = None
    resolved: bool | None = None
    told: list[int] = field(default_factory=list)

    def applied(self, result: Appended, now_us: int) -> None:
        """It was acknowledged; the first acknowledgement is when it ended."""
        self.told.append(result.base_offset)
        if self.outcome != "applied":
            self.outcome, self.offset, self.ended_us = "applied", result.base_offset, now_us

    @property
    def last(self) -> int:
        """The last offset that it was told."""
        return -1 if self.offset is None else self.offset + len(self.values) - 1

    @property
    def name(self) -> str:
        """Its first value."""
        return self.values[0].decode()


@dataclass
class ReadDone:
    """A linearizable read: when it began, and the end of the log that it was told."""

    began_us: int
    ended_us: int
    index: int
    node: str


@dataclass(frozen=True)
class Viewed:
    """What a member showed of the log: offsets from log_start up to, not including, end.

    life: of the member's process. bound_ms: how stale the caller would have it; None for a local
    read. staleness_ms: what it was told; -1: not known.
    """

    node: str
    life: int
    taken_us: int
    bound_ms: int | None
    log_start: int
    end: int
    staleness_ms: int

    @property
    def fresh_us(self) -> int:
        """Whatever was known before this moment must be shown."""
        return self.taken_us - 1000 * self.staleness_ms


class History:
    """Everything that clients did."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.reads: list[ReadDone] = []
        self.views: list[Viewed] = []
        self.pages = 0
        self.times = 0
        self.resolved = 0
        self.refusals: dict[str, int] = {}

    def refused(self, refusal: ApiError) -> None:
        """Count a refusal."""
        self.refusals[refusal.code] = self.refusals.get(refusal.code, 0) + 1

    def answers(self) -> Counter[str]:
        """What clients were told, by kind: successes, and refusals by their codes."""
        told = Counter(self.refusals)
        told["appended"] = self.applied
        told["read"] = len(self.reads)
        told["resolved"] = self.resolved
        return told

    @property
    def applied(self) -> int:
        """How many appends were acknowledged."""
        return sum(attempt.outcome == "applied" for attempt in self.attempts)
