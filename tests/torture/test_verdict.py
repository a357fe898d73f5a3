"""The count finds nothing in a right history, and each kind of wrong in one that is falsified."""

import pytest

from replog.wire.schemas import Appended, ReadRecord, RecordsPage
from tests.torture.falsified import FALSIFIED, unseen
from tests.torture.journal import Journal, now_us
from tests.torture.verdict import Verdict, judge

Log = list[tuple[int, bytes]]


def right() -> tuple[Journal, Log]:
    """Three batches, the second one in a session and behind a control record, and a read of all."""
    journal, log = Journal(), list[tuple[int, bytes]]()
    for number, base in enumerate((1, 4, 6)):
        values = [b"client/%d/%d" % (number, n) for n in range(2)]
        attempt = journal.begin(values, session="client")
        log += [(base + n, value) for n, value in enumerate(values)]
        journal.appended(attempt, Appended(base, base + 1, 2, 1))
    shown = [ReadRecord(offset, 0, value.decode()) for offset, value in log]
    began_us = now_us() + 1
    journal.read("a", "linearizable", began_us, began_us, 0, RecordsPage(shown, 8, 8, 0))
    return journal, log


def test_a_right_history_is_clean() -> None:
    verdict = judge(*right())
    assert verdict.clean, vars(verdict)


@pytest.mark.parametrize("what", FALSIFIED)
def test_what_is_falsified_is_counted(what: str) -> None:
    name, falsify = FALSIFIED[what]
    verdict = judge(*falsify(*right()))
    assert verdict.counts[name] >= 1


def test_every_number_has_been_seen_to_count() -> None:
    assert {name for name, _ in FALSIFIED.values()} == set(Verdict().counts)


def test_a_right_history_falsified_in_any_way_is_seen() -> None:
    assert unseen(*right()) == []


def test_a_batch_in_pieces_is_counted() -> None:
    journal, log = right()
    (one, two, *rest) = log
    assert judge(journal, [one, *rest, (9, two[1])]).counts["reordered"] >= 1


def test_a_condition_that_did_not_hold_is_counted() -> None:
    journal, log = right()
    attempt = journal.begin([b"conditional/1/0"], behind=5)
    assert judge(journal, [*log, (8, attempt.values[0])]).counts["reordered"] == 1
    attempt.behind = 7
    assert judge(journal, [*log, (8, attempt.values[0])]).clean


def test_a_resolution_that_was_wrong_is_counted() -> None:
    journal, log = right()
    attempt = journal.begin([b"session/1/0"], session="session")
    journal.resolved(attempt, True)
    assert judge(journal, log).counts["lost"] == 1
    journal.resolved(attempt, False)
    assert judge(journal, log).clean
    assert judge(journal, [*log, (8, attempt.values[0])]).counts["phantom"] == 1
