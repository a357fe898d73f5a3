"""What becomes of what was appended (replog_node/driver/ledger.py)."""

from replog_node.driver.ledger import Ledger, Promise
from replog_node.model.positions import Offset, Term
from tests.unit.driver.rig import Answers


def promise(
    answers: Answers, base: int, *, term: int = 1, deadline_s: float = 10, size_bytes: int = 1
) -> Promise:
    return Promise(
        Term(term), Offset(base), f"at {base}", answers, deadline_s=deadline_s,
        size_bytes=size_bytes,
    )  # fmt: skip


def settle(ledger: Ledger, applied: int, term: int = 1) -> None:
    ledger.settle(Offset(applied), lambda _: Term(term))


def test_what_is_applied_is_answered_in_order_and_the_rest_waits() -> None:
    ledger, answers = Ledger(), Answers()
    for base in (0, 1, 5):
        ledger.add(promise(answers, base))
    settle(ledger, 4)
    assert [*answers] == ["at 0", "at 1"]
    assert (ledger.count, ledger.size_bytes) == (1, 1)


def test_another_term_at_its_place_tells_that_it_never_happened() -> None:
    ledger, answers = Ledger(), Answers()
    ledger.add(promise(answers, 3, term=1))
    settle(ledger, 3, term=2)
    assert answers.codes == ["superseded"] and answers[0].outcome == "none"


def test_the_same_term_tells_that_it_happened_although_the_lead_was_lost_since() -> None:
    ledger, answers = Ledger(), Answers()
    ledger.add(promise(answers, 3, term=1))
    ledger.add(promise(answers, 3, term=2))
    settle(ledger, 3, term=1)
    assert answers[0] == "at 3" and answers.codes == ["ok", "superseded"]


def test_who_waited_for_too_long_hears_that_the_outcome_is_unknown_and_only_once() -> None:
    ledger, answers = Ledger(), Answers()
    ledger.add(promise(answers, 0, deadline_s=5))
    ledger.expire(5.0, Term(1))
    assert answers.codes == ["timeout"] and answers[0].outcome == "unknown"
    assert ledger.size_bytes == 1, "its bytes are pending until its fate is known"
    ledger.expire(6.0, Term(1))
    settle(ledger, 0)
    assert len(answers) == 1 and ledger.size_bytes == 0


def test_a_verdict_that_nobody_waits_for_any_more_is_no_pending_batch() -> None:
    ledger, answers = Ledger(), Answers()
    ledger.add(promise(answers, 0, deadline_s=50))
    ledger.repeat(promise(answers, 0, deadline_s=5, size_bytes=0))
    ledger.expire(5.0, Term(1))
    assert answers.codes == ["timeout"] and (ledger.count, ledger.size_bytes) == (1, 1)


def test_what_nobody_waits_for_any_more_is_forgotten_once_its_term_is_over() -> None:
    ledger, answers = Ledger(), Answers()
    ledger.add(promise(answers, 0, deadline_s=5))
    ledger.add(promise(answers, 1, deadline_s=50))
    ledger.expire(5.0, Term(2))
    assert (ledger.count, ledger.size_bytes, len(answers)) == (1, 1, 1)


def test_a_repeat_is_answered_with_its_original() -> None:
    ledger, answers = Ledger(), Answers()
    for base in (0, 2, 4):
        ledger.add(promise(answers, base))
    ledger.repeat(promise(answers, 2, size_bytes=0))
    settle(ledger, 2)
    assert [*answers] == ["at 0", "at 2", "at 2"]
    settle(ledger, 4)
    assert len(answers) == 4 and ledger.count == 0


def test_at_the_end_everybody_hears_that_the_outcome_is_unknown() -> None:
    ledger, answers = Ledger(), Answers()
    ledger.add(promise(answers, 0))
    ledger.close()
    assert answers.codes == ["outcome_unknown"] and ledger.count == 0
