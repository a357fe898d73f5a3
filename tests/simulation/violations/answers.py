"""False answers to clients, in histories of a few calls.

Decides: the smallest violation of each. Must not know: members.
Read next: worlds.py.
"""

from msgspec.structs import replace

from replog_node.driver.view import ReadView
from tests.simulation.clients.history import Attempt, History, ReadDone, Viewed
from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.exactly_once import ExactlyOnce
from tests.simulation.oracles.linearizable import Linearizable
from tests.simulation.oracles.outcomes import DefiniteAnswers
from tests.simulation.oracles.stale_reads import BoundedReads, LocalReads
from tests.simulation.oracles.time_reads import TimeReads
from tests.simulation.violations.material import chains, entries
from tests.simulation.violations.registry import breaks


def acknowledged(value: str, offset: int, began_us: int = 0, ended_us: int = 1) -> Attempt:
    """An append of one record that was acknowledged."""
    return Attempt((value.encode(),), began_us, ended_us, offset, outcome="applied", told=[offset])


def history(*attempts: Attempt, reads: tuple[ReadDone, ...] = ()) -> History:
    """These calls."""
    found = History()
    found.attempts += attempts
    found.reads += reads
    return found


@breaks(ExactlyOnce)
def a_value_lies_twice() -> None:
    ExactlyOnce().check(history(acknowledged("x", 1)), {b"x": [1, 5]})


@breaks(ExactlyOnce)
def a_batch_lies_in_pieces() -> None:
    batch = Attempt((b"x", b"y"), 0)
    ExactlyOnce().check(history(batch), {b"x": [1], b"y": [3]})


@breaks(ExactlyOnce)
def half_of_a_batch_is_missing() -> None:
    batch = Attempt((b"x", b"y"), 0)
    ExactlyOnce().check(history(batch), {b"y": [1]})


@breaks(ExactlyOnce)
def a_session_is_out_of_order() -> None:
    first, second = Attempt((b"x",), 0, session="s"), Attempt((b"y",), 0, session="s")
    ExactlyOnce().check(history(first, second), {b"x": [2], b"y": [1]})


@breaks(ExactlyOnce)
def a_repeat_is_told_another_place() -> None:
    attempt = acknowledged("x", 1)
    attempt.told.append(2)
    ExactlyOnce().check(history(attempt), {b"x": [1]})


@breaks(DefiniteAnswers)
def an_acknowledged_append_is_lost() -> None:
    DefiniteAnswers().check(history(acknowledged("x", 1)), {})


@breaks(DefiniteAnswers)
def an_acknowledged_append_lies_elsewhere() -> None:
    DefiniteAnswers().check(history(acknowledged("x", 1)), {b"x": [2]})


@breaks(DefiniteAnswers)
def what_was_told_none_has_happened() -> None:
    DefiniteAnswers().check(history(Attempt((b"x",), 0, outcome="none")), {b"x": [1]})


@breaks(DefiniteAnswers)
def what_was_resolved_as_lost_has_happened() -> None:
    DefiniteAnswers().check(history(Attempt((b"x",), 0, resolved=False)), {b"x": [1]})


@breaks(DefiniteAnswers)
def what_was_resolved_as_done_has_not_happened() -> None:
    DefiniteAnswers().check(history(Attempt((b"x",), 0, resolved=True)), {})


@breaks(Linearizable)
def an_append_lies_before_what_it_followed() -> None:
    first, second = acknowledged("x", 5, 0, 1), acknowledged("y", 3, 2, 4)
    Linearizable().check(history(first, second), {b"x": [5], b"y": [3]})


@breaks(Linearizable)
def an_unknown_append_lies_before_what_it_followed() -> None:
    first, second = acknowledged("x", 5, 0, 1), Attempt((b"y",), 2)
    Linearizable().check(history(first, second), {b"x": [5], b"y": [3]})


@breaks(Linearizable)
def a_read_misses_what_was_acknowledged() -> None:
    read = ReadDone(2, 3, 4, "m0")
    Linearizable().check(history(acknowledged("x", 5), reads=(read,)), {b"x": [5]})


@breaks(Linearizable)
def a_read_sees_less_than_an_earlier_one() -> None:
    reads = ReadDone(0, 1, 7, "m0"), ReadDone(2, 3, 6, "m1")
    Linearizable().check(history(reads=reads), {})


@breaks(Linearizable)
def a_read_sees_what_begins_later() -> None:
    read = ReadDone(0, 1, 5, "m0")
    Linearizable().check(history(acknowledged("x", 5, 2, 3), reads=(read,)), {b"x": [5]})


@breaks(Linearizable)
def a_conditional_append_lies_behind_another_record() -> None:
    conditional = acknowledged("z", 6)
    conditional.behind = 4
    known = {b"x": [4], b"y": [5], b"z": [6]}
    Linearizable().check(history(conditional), known)


def _refused(value: str, behind: int, instead: int, began_us: int, refused_us: int) -> Attempt:
    """A conditional append that was told another last record than it named."""
    return Attempt(
        (value.encode(),), began_us, outcome="none",
        behind=behind, instead=instead, refused_us=refused_us,
    )  # fmt: skip


@breaks(Linearizable)
def a_condition_that_held_is_refused() -> None:
    """As by a leader that was deposed and doesn't know: an older record is told."""
    late = _refused("z", 5, 4, 2, 3)
    known = {b"x": [4], b"y": [5]}
    Linearizable().check(history(acknowledged("x", 4), acknowledged("y", 5), late), known)


@breaks(Linearizable)
def a_refusal_names_a_record_that_never_came_to_be() -> None:
    refused = _refused("z", 4, 6, 2, 3)
    Linearizable().check(history(acknowledged("x", 4), refused), {b"x": [4]})


@breaks(Linearizable)
def a_refusal_names_a_record_that_begins_later() -> None:
    refused = _refused("z", 4, 5, 2, 3)
    known = {b"x": [4], b"y": [5]}
    first, later = acknowledged("x", 4), acknowledged("y", 5, 6, 7)
    Linearizable().check(history(first, refused, later), known)


@breaks(Linearizable)
def a_refusal_names_the_very_record_that_was_named() -> None:
    refused = _refused("z", 4, 4, 2, 3)
    Linearizable().check(history(acknowledged("x", 4), refused), {b"x": [4]})


def _view(
    end: int, taken_us: int = 0, bound_ms: int | None = None, staleness_ms: int = 0
) -> Viewed:
    return Viewed("m0", 1, taken_us, bound_ms, 0, end, staleness_ms)


@breaks(LocalReads)
def a_local_read_goes_back() -> None:
    log = entries("x", "y")
    commits = Commits(chains(log))
    commits.extend(log[-1].chain, 1)
    oracle = LocalReads(commits)
    oracle.viewed(_view(2))
    oracle.viewed(_view(1))


@breaks(LocalReads)
def a_local_read_shows_what_is_not_committed() -> None:
    LocalReads(Commits(Chains())).viewed(_view(1))


@breaks(BoundedReads)
def a_bounded_read_misses_what_was_known_long_ago() -> None:
    found = history(acknowledged("x", 5, 0, 1))
    found.views.append(_view(6, taken_us=100_000, bound_ms=50, staleness_ms=50))
    BoundedReads().check(found)
    found.views.append(_view(5, taken_us=100_000, bound_ms=50, staleness_ms=50))
    BoundedReads().check(found)


@breaks(BoundedReads)
def a_bounded_read_is_staler_than_its_bound() -> None:
    found = history()
    found.views.append(_view(5, taken_us=100_000, bound_ms=50, staleness_ms=51))
    BoundedReads().check(found)


@breaks(TimeReads)
def a_read_from_a_time_begins_too_late() -> None:
    log = CommittedLog()
    log.entries += entries("x", "y")
    oracle = TimeReads(log)
    oracle.found("m0", ReadView(0, 2, 0), 0, 0)
    oracle.found("m0", ReadView(0, 2, 0), 1, 2)
    oracle.found("m0", ReadView(0, 2, 0), 0, 1)


@breaks(TimeReads)
def log_time_falls() -> None:
    log = CommittedLog()
    first, second = entries("x", "y")
    log.entries += [replace(first, append_time_ms=2), replace(second, append_time_ms=1)]
    TimeReads(log).applied("m0", log.entries[-1])
