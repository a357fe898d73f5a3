"""Shows that the count is able to count: a right history is falsified in each way, one at a time.

Every run does it with its own history; a count of zero says something only then.

Decides: how each kind of wrong comes about. Must not know: how it is seen.
Read next: verdict.py.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from tests.simulation.clients.history import Attempt
from tests.torture.journal import Journal
from tests.torture.verdict import Log, judge

Falsify = Callable[[Journal, Log], tuple[Journal, Log]]


def _last_acknowledged(journal: Journal) -> Attempt:
    return max((a for a in journal.history.attempts if a.offset is not None), key=lambda a: a.last)


def _lose(journal: Journal, log: Log) -> tuple[Journal, Log]:
    gone = _last_acknowledged(journal).offset
    return journal, [(offset, value) for offset, value in log if offset != gone]


def _double(journal: Journal, log: Log) -> tuple[Journal, Log]:
    return journal, [*log, (log[-1][0] + 1, _last_acknowledged(journal).values[0])]


def _reorder(journal: Journal, log: Log) -> tuple[Journal, Log]:
    (first, one), (second, other) = log[0], log[-1]
    return journal, [(first, other), *log[1:-1], (second, one)]


def _invent(journal: Journal, log: Log) -> tuple[Journal, Log]:
    return journal, [*log, (log[-1][0] + 1, b"nobody/0/0")]


def _deny(journal: Journal, log: Log) -> tuple[Journal, Log]:
    """What happened was told to have not."""
    denied = _last_acknowledged(journal)
    told = replace(denied, outcome="none", offset=None, ended_us=None, told=[])
    return _with_attempt(journal, denied, told), log


def _with_attempt(journal: Journal, old: Attempt, new: Attempt) -> Journal:
    changed, changed.history = copy(journal), copy(journal.history)
    changed.history.attempts = [new if a is old else a for a in journal.history.attempts]
    return changed


def _misread(journal: Journal, log: Log) -> tuple[Journal, Log]:
    changed = copy(journal)
    changed.pages = [*journal.pages[:-1], replace(journal.pages[-1], digest="")]
    return changed, log


def _read_stale(journal: Journal, log: Log) -> tuple[Journal, Log]:
    """A page that began when all was over shows nothing."""
    changed, last = copy(journal), journal.pages[-1]
    over_us = 1 + max(last.ended_us, _last_acknowledged(journal).ended_us or 0)
    empty = replace(last, fresh_us=over_us, start=0, next=0, end=0)
    changed.pages = [*journal.pages[:-1], empty]
    return changed, log


FALSIFIED: dict[str, tuple[str, Falsify]] = {
    "an acknowledged record is taken out": ("lost", _lose),
    "a record is there twice": ("duplicated", _double),
    "two records change places": ("reordered", _reorder),
    "a record that nobody wrote": ("phantom", _invent),
    "a record of which none was told": ("phantom", _deny),
    "a page with another content": ("misread", _misread),
    "a page without what was acknowledged": ("misread", _read_stale),
}
"""What is falsified -> by which number it must be seen."""


def unseen(journal: Journal, log: Log) -> list[str]:
    """Which falsifications of this right history the verdict doesn't see, in sentences."""
    return [
        f"the verdict is blind: {what} isn't seen as {name}"
        for what, (name, falsify) in FALSIFIED.items()
        if not judge(*falsify(journal, log)).counts[name]
    ]
