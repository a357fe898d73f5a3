"""An event tells what began or ended, once."""

from typing import Any

from replog_operator.kube.events import AGAIN_S, EVENTS_MAX, REMEMBERED_MAX, Limiter, Told, events
from replog_operator.kube.picture import OperationRow, Picture, WaitRow
from replog_operator.kube.status import status
from tests.unit.kube.pictures import picture

WELL = picture()
NO_LEADER = picture(admitting=False, members=(), waits=(WaitRow("NoLeader", ""),))
SCALING = picture(operation=OperationRow("Scale", "3 members become 5"))


def between(before: Picture | None, now: Picture) -> list[Told]:
    stood: dict[str, Any] = {} if before is None else status(before, {}, 0.0)
    return events(stood, status(now, stood, 60.0))


def reasons(found: list[Told]) -> list[tuple[str, bool]]:
    return [(told.reason, told.warning) for told in found]


def test_what_stays_is_not_told_again() -> None:
    assert between(NO_LEADER, NO_LEADER) == []
    assert between(SCALING, SCALING) == []


def test_a_wait_that_begins_is_a_warning_and_what_it_costs_is_not_told_besides() -> None:
    assert reasons(between(WELL, NO_LEADER)) == [("NoLeader", True)]
    assert [told.action for told in between(WELL, NO_LEADER)] == ["Wait"]


def test_what_went_bad_before_anything_was_waited_for_does_not_hide_the_wait() -> None:
    limiter = Limiter()
    unled = picture(admitting=False, members=())

    first = limiter.fresh("uid", between(WELL, unled), 0.0)
    then = limiter.fresh("uid", between(unled, NO_LEADER), 1.0)

    assert ("NoLeader", "Available") in [(told.reason, told.action) for told in first]
    assert [(told.reason, told.action) for told in then] == [("NoLeader", "Wait")]


def test_what_is_well_again_is_told_as_normal() -> None:
    assert reasons(between(NO_LEADER, WELL)) == [("Ready", False), ("Available", False)]


def test_an_operation_is_told_step_by_step_and_at_its_end() -> None:
    joint = picture(operation=OperationRow("Scale", "both halves agree"))

    assert [told.note for told in between(WELL, SCALING)] == ["3 members become 5"]
    assert [told.note for told in between(SCALING, joint)] == ["both halves agree"]
    assert reasons(between(joint, WELL)) == [("ScaleDone", False)]


def test_a_new_log_is_told_of_by_its_waits_and_steps_alone() -> None:
    founding = NO_LEADER._replace(operation=OperationRow("Bootstrap", "ordinal 0 founds it"))

    assert reasons(between(None, founding)) == [("NoLeader", True), ("Bootstrap", False)]


def test_suspension_is_told_when_it_begins_and_ends() -> None:
    suspended = picture(suspended=True)

    assert ("Suspended", False) in reasons(between(WELL, suspended))
    assert ("NotSuspended", False) in reasons(between(suspended, WELL))


def test_one_change_tells_only_so_much() -> None:
    many = tuple(WaitRow(f"Wait{number}", "x" * 5000) for number in range(16))

    found = between(WELL, picture(waits=many))

    assert len(found) == EVENTS_MAX
    assert all(len(told.note) <= 1000 for told in found)


def wait(note: str = "", reason: str = "NoLeader") -> Told:
    return Told(True, reason, "Wait", note)


def test_a_wait_that_comes_and_goes_is_told_once_in_a_while() -> None:
    limiter = Limiter()

    assert limiter.fresh("uid", [wait("asked twice")], 0.0)
    assert not limiter.fresh("uid", [wait("asked three times")], AGAIN_S - 1)
    assert limiter.fresh("uid", [wait()], AGAIN_S)
    assert limiter.fresh("uid", [wait(reason="DiskFull")], AGAIN_S)
    assert limiter.fresh("another", [wait()], AGAIN_S)


def test_each_step_of_an_operation_is_told() -> None:
    limiter = Limiter()
    steps = [Told(False, "Scale", "Step", f"step {number}") for number in range(3)]

    assert limiter.fresh("uid", steps, 0.0) == steps


def test_what_is_remembered_is_bounded() -> None:
    limiter = Limiter()
    for number in range(REMEMBERED_MAX + 1):
        limiter.fresh(str(number), [wait()], 0.0)

    assert limiter.fresh("0", [wait()], 1.0), "the oldest is forgotten"
    assert not limiter.fresh(str(REMEMBERED_MAX), [wait()], 1.0)
