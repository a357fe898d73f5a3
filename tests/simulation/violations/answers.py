"""False answers to clients, in histories of a few calls.

Decides: the smallest violation of each. Must not know: members.
Read next: worlds.py.
"""

from tests.simulation.clients.history import Attempt, History, ReadDone
from tests.simulation.oracles.exactly_once import ExactlyOnce
from tests.simulation.oracles.linearizable import Linearizable
from tests.simulation.oracles.outcomes import DefiniteAnswers
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
