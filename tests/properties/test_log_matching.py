"""Ranges of terms find where two logs agree as surely as comparing every entry does."""

from hypothesis import given
from hypothesis import strategies as st

from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ORIGIN, Offset, Position, Term
from replog_node.raft.events import LogBounds
from replog_node.raft.log import Log
from tests.properties import naive

MEMBERS = 3
STEP = st.tuples(
    st.integers(0, MEMBERS - 1),
    st.integers(1, 4),
    st.lists(st.integers(-1, 12), min_size=MEMBERS, max_size=MEMBERS),
)


def ranges(log: naive.Log) -> Log:
    """The core's log of these entries."""
    made = Log(LogBounds(Tail(ORIGIN, b"", 0)))
    for term, first, last in log:
        made.append(Entry(Offset(first), Offset(last), Term(term), 0, b"", b""))
    return made


@given(st.lists(STEP, min_size=1, max_size=8))
def test_probing_ends_at_the_last_entry_that_both_have(
    steps: list[tuple[int, int, list[int]]],
) -> None:
    """Paper 5.3: in at most one round for each term of the two logs."""
    logs = naive.histories(steps, MEMBERS)
    for leader in logs:
        for follower in logs:
            mine, theirs = ranges(leader), ranges(follower)
            asked, rounds = mine.last, 0
            while not theirs.has(asked):
                hint = theirs.agreeing_at(asked)
                lower = mine.agreeing_at(hint)
                assert lower.offset < asked.offset
                asked, rounds = lower, rounds + 1
            term, offset = naive.common_end(leader, follower)
            assert asked == Position(Term(term), Offset(offset))
            terms = {entry[0] for entry in leader} | {entry[0] for entry in follower}
            assert rounds <= len(terms) + 1


@given(st.lists(STEP, min_size=1, max_size=8))
def test_a_position_is_in_a_log_if_and_only_if_an_entry_there_ends_so(
    steps: list[tuple[int, int, list[int]]],
) -> None:
    """Asked about entry ends of any of the logs, which is all that members ever ask about."""
    logs = naive.histories(steps, MEMBERS)
    ends = {(term, last) for log in logs for term, _, last in log}
    for log in logs:
        mine = ranges(log)
        for term, last in sorted(ends):
            position = Position(Term(term), Offset(last))
            assert mine.has(position) == ((term, last) in {(t, e) for t, _, e in log})


@given(st.lists(STEP, min_size=1, max_size=8))
def test_taking_over_a_leaders_log_makes_the_logs_equal(
    steps: list[tuple[int, int, list[int]]],
) -> None:
    logs = naive.histories(steps, MEMBERS)
    for leader in logs:
        for follower in logs:
            mine = ranges(follower)
            agreed = naive.common_length(leader, follower)
            entries = tuple(ranges(leader).recent(Offset(0)) or ())[agreed:]
            missing = tuple(mine.missing(entries))
            assert missing == entries
            if missing:
                mine.splice(missing)
                assert [e.position for e in mine.recent(Offset(0)) or ()] == [
                    Position(Term(term), Offset(last)) for term, _, last in leader
                ]
