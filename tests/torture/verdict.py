"""Compares what clients were told with the log: everything that is wrong is counted, not the first.

The simulation's oracles judge the same history; here each kind of wrong has its own number.

Decides: what is lost, duplicated, reordered, phantom or misread. Must not know: the faults.
Read next: journal.py, oracles.py.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.simulation.clients.history import Attempt
from tests.torture.journal import Journal, digest

Log = Sequence[tuple[int, bytes]]


@dataclass
class Verdict:
    """What is wrong, in sentences; all empty when nothing is.

    lost: acknowledged, and not there. duplicated: there more than once. reordered: not where or not
    in the order that was promised. phantom: there, although nobody wrote it or it was told that it
    wasn't. misread: a read that showed what is not the log, or missed what it had to show.
    """

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)
    misread: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(found) for name, found in vars(self).items()}

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.counts.values())


def judge(journal: Journal, log: Log) -> Verdict:
    """Compare everything that clients were told with the records of the log."""
    verdict = Verdict()
    places: dict[bytes, list[int]] = {}
    for offset, value in log:
        places.setdefault(value, []).append(offset)
    written = {value for attempt in journal.history.attempts for value in attempt.values}
    verdict.phantom += [f"{_short(v)} at {at}" for v, at in places.items() if v not in written]
    verdict.duplicated += [f"{_short(v)} at {at}" for v, at in places.items() if len(at) > 1]
    for attempt in journal.history.attempts:
        _judge_attempt(verdict, attempt, places)
    _judge_sessions(verdict, journal.history.attempts, places)
    _judge_time(verdict, journal.history.attempts)
    _judge_conditions(verdict, journal.history.attempts, places, log)
    _judge_pages(verdict, journal, log)
    return verdict


def _short(value: bytes) -> str:
    return value[:40].decode()


def _judge_attempt(verdict: Verdict, attempt: Attempt, places: dict[bytes, list[int]]) -> None:
    """A batch is there whole, once and where it was said to be, or not at all."""
    found = [places.get(value, []) for value in attempt.values]
    firsts = [at[0] for at in found if at]
    name = _short(attempt.values[0])
    if attempt.outcome == "applied" and len(firsts) < len(found):
        verdict.lost.append(f"{name} was acknowledged at {attempt.offset}, found: {found}")
        return
    if firsts and firsts != list(range(firsts[0], firsts[0] + len(found))):
        verdict.reordered.append(f"{name} lies in pieces: {found}")
    elif attempt.outcome == "applied" and {*attempt.told, attempt.offset} != {firsts[0]}:
        verdict.reordered.append(f"{name} was told {attempt.told}, lies at {firsts[0]}")
    if firsts and (attempt.outcome == "none" or attempt.resolved is False):
        verdict.phantom.append(f"{name} was told that it never happened, lies at {firsts[0]}")
    if attempt.resolved and not firsts:
        verdict.lost.append(f"{name} was told that it happened")


def _judge_sessions(
    verdict: Verdict, attempts: Iterable[Attempt], places: dict[bytes, list[int]]
) -> None:
    """The batches of a session lie in the order in which they were written."""
    last: dict[str, int] = {}
    for attempt in attempts:
        found = places.get(attempt.values[0])
        if attempt.session and found:
            if found[0] < last.get(attempt.session, -1):
                verdict.reordered.append(f"{_short(attempt.values[0])} lies before its predecessor")
            last[attempt.session] = found[0]


def _acknowledged(attempts: Iterable[Attempt]) -> list[tuple[int, int]]:
    """When something was acknowledged, and up to which offset; by time."""
    return sorted((a.ended_us, a.last) for a in attempts if a.ended_us is not None)


class Known:
    """The highest offset that was known before a moment; moments may not go backward."""

    def __init__(self, told: Sequence[tuple[int, int]]) -> None:
        self._told = told
        self._place = 0
        self._highest = -1

    def before(self, moment_us: int) -> int:
        """Return it, or -1."""
        while self._place < len(self._told) and self._told[self._place][0] < moment_us:
            self._highest = max(self._highest, self._told[self._place][1])
            self._place += 1
        return self._highest


def _judge_time(verdict: Verdict, attempts: Sequence[Attempt]) -> None:
    """An append that began after another was acknowledged lies behind it."""
    known = Known(_acknowledged(attempts))
    for began_us, offset in sorted(
        (a.began_us, a.offset) for a in attempts if a.offset is not None
    ):
        if offset < (highest := known.before(began_us)):
            verdict.reordered.append(f"the append at {offset} began after {highest} was known")


def _judge_conditions(
    verdict: Verdict, attempts: Iterable[Attempt], places: dict[bytes, list[int]], log: Log
) -> None:
    """A conditional append lies directly behind the record that it named."""
    offsets = [offset for offset, _ in log]
    for attempt in attempts:
        found = places.get(attempt.values[0])
        if attempt.behind is not None and found:
            place = bisect_left(offsets, found[0])
            before = offsets[place - 1] if place else -1
            if before != attempt.behind:
                verdict.reordered.append(
                    f"{_short(attempt.values[0])} lies behind {before}, not {attempt.behind}"
                )


def _judge_pages(verdict: Verdict, journal: Journal, log: Log) -> None:
    """Each page is what the log has there, and shows all that its consistency promises."""
    offsets = [offset for offset, _ in log]
    told = _acknowledged(journal.history.attempts)
    strong = [page for page in journal.pages if page.consistency == "linearizable"]
    told = sorted(told + [(page.ended_us, page.end - 1) for page in strong])
    known = Known(told)
    fresh = [page for page in journal.pages if page.fresh_us is not None]
    for page in sorted(fresh, key=lambda page: page.fresh_us or 0):
        if page.end - 1 < (highest := known.before(page.fresh_us or 0)):
            verdict.misread.append(f"{page} misses {highest}")
    for page in journal.pages:
        shown = log[bisect_left(offsets, page.start) : bisect_left(offsets, page.next)]
        if (len(shown), digest(shown)) != (page.records, page.digest):
            verdict.misread.append(f"{page} is not what lies there")


def totals(journal: Journal, log: Log) -> str:
    """What clients did, for people."""
    attempts = journal.history.attempts
    outcomes = [attempt.outcome for attempt in attempts]
    pages: dict[str, int] = {}
    for page in journal.pages:
        pages[page.consistency] = pages.get(page.consistency, 0) + 1
    conditional = sum(a.behind is not None and a.outcome == "applied" for a in attempts)
    return (
        f"{len(attempts)} appends: {outcomes.count('applied')} acknowledged ({conditional} with a "
        f"condition), {outcomes.count('none')} told none, {outcomes.count('unknown')} unknown, "
        f"{journal.history.resolved} resolved; {len(log)} records in the log; reads: {pages}; "
        f"refusals: {dict(journal.refusals.most_common())}"
    )
