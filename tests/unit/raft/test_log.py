"""The log as the core keeps it: ranges of terms, what is durable, the cache, configurations."""

import pytest

from replog_node.model.configuration import Configuration
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ORIGIN, Offset, Position, Term
from replog_node.raft.events import LogBounds
from replog_node.raft.log import Log
from replog_node.raft.violation import InvariantViolation
from tests.unit.raft.cluster import SEED, data, founding, framer, members, snapshot_at


def log_of(*terms: int, size: int = 1) -> Log:
    """A log with one entry of one record for each term."""
    log = Log(LogBounds(SEED))
    for term in terms:
        log.append(after(log.tail, term, size=size))
    return log


def after(tail: Tail, term: int, *, records: int = 1, size: int = 1) -> Entry:
    """The entry that follows."""
    return framer(data(records, size), Term(term), tail, 0)


def at(term: int, offset: int) -> Position:
    """A position."""
    return Position(Term(term), Offset(offset))


def chain(start: Tail, *terms: int, records: int = 1) -> list[Entry]:
    """Entries that follow each other."""
    found: list[Entry] = []
    for term in terms:
        entry = after(start, term, records=records)
        found.append(entry)
        start = Tail(entry.position, entry.chain, 0)
    return found


def test_the_term_of_an_offset_is_that_of_its_entry_and_unknown_beyond_the_end() -> None:
    log = log_of(1, 1, 3)
    assert [log.term_at(Offset(o)) for o in range(-2, 5)] == [None, 0, 1, 1, 3, None, None]


def test_a_position_is_in_the_log_only_with_its_own_term() -> None:
    log = log_of(1, 1, 3)
    assert log.has(ORIGIN)
    assert log.has(at(1, 1))
    assert not log.has(at(3, 1))
    assert not log.has(at(0, 7))


@pytest.mark.parametrize(
    ("mine", "position", "agreed"),
    [
        ((1, 1, 2, 2), at(2, 9), at(2, 3)),
        ((1, 1, 2, 2), at(3, 9), at(2, 3)),
        ((1, 1, 3, 3), at(2, 2), at(1, 1)),
        ((2, 2), at(1, 5), ORIGIN),
        ((1, 1, 1), at(1, 1), at(1, 1)),
        ((1, 3, 3), at(3, 0), at(1, 0)),
        ((), at(1, 5), ORIGIN),
    ],
)
def test_where_two_logs_may_agree_skips_a_whole_term(
    mine: tuple[int, ...], position: Position, agreed: Position
) -> None:
    assert log_of(*mine).agreeing_at(position) == agreed


def test_an_entry_that_does_not_follow_is_a_violation() -> None:
    log = log_of(2)
    with pytest.raises(InvariantViolation, match="can't follow"):
        log.append(after(log_of(2, 2).tail, 2))
    with pytest.raises(InvariantViolation, match="can't follow"):
        log.append(after(log.tail, 1))


def test_only_what_is_missing_is_spliced_and_only_what_differs_is_cut() -> None:
    log = log_of(1, 1, 1)
    same = chain(SEED, 1, 1)
    assert log.missing(same) == ()
    longer = chain(SEED, 1, 1, 2)
    missing = log.missing(longer)
    assert list(missing) == longer[2:]
    assert log.splice(missing) == at(1, 1)
    assert log.last == at(2, 2)
    assert log.splice(chain(log.tail, 2)) is None


def test_a_write_that_ends_after_its_entries_were_overwritten_makes_nothing_durable() -> None:
    log = log_of(1)
    log.writing(1)
    log.persisted(1)
    for entry in chain(log.tail, 2, 2):
        log.append(entry)
    log.writing(2)
    log.splice(chain(log_of(1).tail, 3, 3))
    log.writing(3)
    log.persisted(2)
    assert log.durable == at(1, 0)
    log.persisted(3)
    assert log.durable == at(3, 2)


def test_an_answer_waits_for_the_first_write_that_covers_it() -> None:
    log = log_of(1)
    log.writing(1)
    for ticket in (2, 3):
        log.append(after(log.tail, 1))
        log.writing(ticket)
    assert [log.ticket_for(Offset(o)) for o in range(3)] == [1, 2, 3]
    log.persisted(2)
    assert [log.ticket_for(Offset(o)) for o in range(3)] == [0, 0, 3]
    log.persisted(1)
    assert log.durable == at(1, 1)


def test_durable_never_reaches_beyond_a_cut() -> None:
    log = log_of(1, 1, 1)
    log.writing(1)
    log.persisted(1)
    log.splice(chain(log_of(1).tail, 2))
    assert log.durable == at(1, 0)


def test_entries_are_given_while_they_fit_and_at_least_one() -> None:
    log = log_of(1, 1, 1)
    size = log.recent(Offset(0))[0].size_bytes  # type: ignore[index]
    assert [e.base for e in log.after(Offset(-1), 1) or ()] == [0]
    assert [e.base for e in log.after(Offset(-1), 2 * size) or ()] == [0, 1]
    assert [e.base for e in log.after(Offset(0), 9 * size) or ()] == [1, 2]
    assert log.after(Offset(2), 9) == ()


def test_the_cache_lets_go_of_the_oldest_that_are_committed_and_durable() -> None:
    log = log_of(1, 1, 1, 1)
    log.writing(1)
    log.evict(Offset(3), 0)
    assert log.recent(Offset(0)) is not None
    log.persisted(1)
    log.evict(Offset(1), 0)
    assert log.recent(Offset(1)) is None
    assert log.after(Offset(0), 99) is None
    assert [e.base for e in log.recent(Offset(2)) or ()] == [2, 3]
    log.evict(Offset(3), 0)
    assert log.cached_bytes == 0
    assert log.recent(Offset(3)) is None
    assert log.recent(Offset(4)) == []


def test_what_the_cache_let_go_is_not_held_any_longer() -> None:
    log = Log(LogBounds(SEED))
    for number in range(100):
        log.append(after(log.tail, 1, size=1000))
        log.writing(number + 1)
        log.persisted(number + 1)
        log.evict(log.last.offset, 3000)
    assert len(log._entries) < 10
    assert [e.base for e in log.recent(Offset(98)) or ()] == [98, 99]


def test_a_log_that_begins_from_disk_has_its_ranges_but_no_entries() -> None:
    bounds = LogBounds(Tail(at(3, 9), b"c", 5), ((Term(1), Offset(0)), (Term(3), Offset(4))))
    log = Log(bounds)
    assert (log.term_at(Offset(3)), log.term_at(Offset(4))) == (1, 3)
    assert log.durable == at(3, 9)
    assert log.recent(Offset(9)) is None


def test_the_configuration_in_force_is_the_last_one_and_a_cut_brings_back_the_one_before() -> None:
    log = Log(LogBounds(SEED))
    log.append(founding("a"))
    second = framer(Payload(controls=_changes("ab")), Term(1), log.tail, 0)
    log.append(second)
    assert log.configuration_offset == 2
    log.splice(chain(Tail(at(1, 1), b"", 0), 2))
    assert log.configuration_offset == 1
    assert log.configuration is not None
    assert log.configuration.voter_ids() == ("a",)


def test_committed_configurations_are_forgotten_but_the_last_two() -> None:
    log = Log(LogBounds(SEED))
    log.append(founding("a"))
    for names in ("ab", "abc", "abcd"):
        log.append(framer(Payload(controls=_changes(names)), Term(1), log.tail, 0))
    log.forget_configurations(Offset(3))
    assert [offset for offset, _ in log.configurations] == [2, 3, 4]


def _changes(names: str) -> tuple[ConfigurationChanged, ...]:
    return (ConfigurationChanged("target", "op", Configuration(members(names))),)


# Behind a snapshot.


def test_a_log_matches_at_its_start_and_knows_nothing_below_it() -> None:
    log = log_of(1, 1, 2, 2, 3)
    log.release(at(2, 2))
    assert [log.term_at(Offset(offset)) for offset in range(-1, 6)] == [
        None, None, None, 2, 2, 3, None,
    ]  # fmt: skip
    assert log.has(at(2, 2))
    assert not log.has(at(1, 1))
    assert log.start == at(2, 2)
    with pytest.raises(InvariantViolation, match="isn't in the log"):
        log.position_at(Offset(1))


def test_where_logs_may_agree_is_never_below_the_start() -> None:
    log = log_of(1, 1, 2, 2, 3)
    log.release(at(2, 2))
    assert log.agreeing_at(at(3, 9)) == at(3, 4)
    assert log.agreeing_at(at(2, 9)) == at(2, 3)
    assert log.agreeing_at(at(2, 1)) == at(2, 2)
    assert log.agreeing_at(at(1, 1)) == at(2, 2)
    assert log.agreeing_at(ORIGIN) == at(2, 2)


def test_a_start_never_moves_back_and_lies_in_the_log() -> None:
    log = log_of(1, 1, 2)
    log.release(at(1, 1))
    log.release(at(1, 0))
    assert log.start == at(1, 1)
    for nowhere in (at(1, 2), at(2, 3)):
        with pytest.raises(InvariantViolation, match="let go"):
            log.release(nowhere)


def test_a_log_that_begins_from_disk_behind_a_snapshot_takes_its_configuration() -> None:
    snapshot = snapshot_at(at(3, 9), Configuration(members("ab")), 4)
    for starts in ((), ((Term(3), Offset(8)),), ((Term(3), Offset(10)),)):
        log = Log(LogBounds(snapshot.tail, starts, start=at(3, 9), base=snapshot))
        assert (log.term_at(Offset(9)), log.term_at(Offset(8))) == (3, None)
        assert (log.configuration_offset, log.last) == (4, at(3, 9))
        log.append(after(log.tail, 3))
        assert log.has(at(3, 10))


def test_the_log_may_be_cut_down_to_its_start_and_goes_on_there() -> None:
    log = log_of(1, 1, 1)
    log.release(at(1, 1))
    other = after(Tail(at(1, 1), b"x", 0), 2)
    assert log.splice((other,)) == at(1, 1)
    assert (log.last, log.term_at(Offset(1)), log.term_at(Offset(2))) == (at(2, 2), 1, 2)


def test_an_installed_log_is_empty_behind_its_snapshot_until_it_is_durable() -> None:
    log = log_of(1, 1, 1)
    log.writing(1)
    snapshot = snapshot_at(at(2, 7), Configuration(members("abc")), 5)
    log.install(snapshot)
    log.writing(2)
    assert (log.start, log.last, log.tail) == (at(2, 7), at(2, 7), snapshot.tail)
    assert (log.recent(Offset(1)), log.cached_bytes) == (None, 0)
    assert (log.ticket_for(Offset(7)), log.durable) == (2, ORIGIN)
    log.persisted(1)
    assert log.durable == ORIGIN
    log.persisted(2)
    assert log.durable == at(2, 7)
