"""A log whose majority is gone: looked at under a fence, and forced to go on, as people decide it.

Nothing of this is done by itself. A survey fences whoever is left, so that what it reports stays
true. A recovery goes by a finished survey: the next lineage is noted for all members first, so that
whoever comes back later serves nothing; only then is the survivor told to go on alone. From that
note on it is begun, and can only be gone on with by this survivor; by another one only if this one
is lost, too: if a later survey did not find it, and a person names it as stopped.

Decides: what must be so before each of these, and when a task ends. Must not know: what a report
says in words (surveying.py), how members do it (replog.wire.recovery).
Read next: surveying.py, tasks.py.
"""

from collections.abc import Iterable

from replog.wire.recovery import Survey
from replog_operator.model.observed import Task, TaskKind
from replog_operator.model.steps import (
    FenceMember,
    FinishTask,
    ForceMembers,
    RaiseLineage,
    UnfenceMember,
)
from replog_operator.model.surveys import Decided, Report, fence_of, number_of
from replog_operator.planner.answer import Answer, Do, Hold, names
from replog_operator.planner.facts import Facts
from replog_operator.planner.surveying import report, summary, voters_of

APART = ("unassigned", "removed")
"""States of members that have nothing of the log that anybody could miss."""


def survey(facts: Facts, task: Task) -> Answer:
    """Fence one after the other of those that answer; then say what they have."""
    operation = fence_of(task.uid)
    taken_back = next((other.name for other in facts.seen.tasks if _cancels(other, task)), None)
    if taken_back is not None:
        return _failed(task, f"taken back by task {taken_back}")
    if facts.status is not None:
        return _failed(task, f"{facts.status.member} leads, so a majority is there; {_NOT_NEEDED}")
    answering = _answering(facts)
    if not answering:
        return Hold("MembersSilent", f"task {task.name}: no member of the log answers")
    for ordinal in answering:
        found = facts.seen.surveys.get(ordinal)
        if found is None:
            which = names(facts.spec.name, (ordinal,))
            return Hold("MembersSilent", f"task {task.name}: {which} does not say what it has")
        if found.fenced_by not in ("", operation):
            return _failed(
                task, f"{found.member} is fenced by {found.fenced_by}: cancel that first"
            )
        if not found.fenced_by:
            which = names(facts.spec.name, (ordinal,))
            return Do(FenceMember(ordinal, operation), f"{which} is fenced, and says what it has")
    made = report(facts, {ordinal: facts.seen.surveys[ordinal] for ordinal in answering})
    return Do(
        FinishTask(task.name, True, summary(facts.spec.name, task.name, made), made),
        "all members that answer are fenced",
    )


_NOT_NEEDED = "members that were fenced for this survey take part again by the action CancelSurvey"


def recover(facts: Facts, task: Task) -> Answer:
    """The next step of a recovery, or why it can't be; the last is to see the survivor lead."""
    ended = facts.seen.surveyed.get(task.survey)
    if ended is None or ended.report is None:
        return _failed(task, f"{task.survey} is no survey of this log that is Done")
    found, decided = ended.report, facts.seen.decided
    number = found.lineage + 1
    led = 0 if facts.status is None else number_of(facts.status.lineage)
    begun = decided == (number, task.subject)
    known = {each.member for each in found.members}
    if decided.number > number or (
        decided.number == number and not begun and decided.survivor in known
    ):
        return _failed(task, f"the log goes on with {decided.survivor} in lineage {decided.number}")
    if facts.status is not None and led == number and begun:
        done = f"{facts.status.member} leads in lineage {number}; {found.text}"
        return Do(FinishTask(task.name, True, done), "the survivor leads")
    if not begun:
        fault = _fault(facts, task, found)
        if fault:
            return _failed(task, fault)
    return _forced(facts, task, found, ended.operation)


def _forced(facts: Facts, task: Task, found: Report, operation: str) -> Answer:
    number, at = found.lineage + 1, _ordinal_of(facts, task.subject)
    if at is None:
        return Hold("MembersSilent", f"task {task.name}: {task.subject} does not answer")
    now = facts.seen.surveys[at]
    if now.number >= number:
        return Hold("NoLeader", f"{now.member} goes on in lineage {now.number} and is to lead next")
    fault = _moved(now, found, operation) or _not_stopped(now, task)
    if fault:
        return _failed(task, fault)
    if facts.seen.decided != (number, task.subject):
        step = RaiseLineage(Decided(number, task.subject), facts.seen.decided)
        return Do(step, f"whoever is of a lineage before {number} is to serve nothing any more")
    return Do(
        ForceMembers(at, operation, number, now.last_offset, now.chain, task.stopped),
        f"{task.subject} goes on alone in lineage {number}",
    )


def _fault(facts: Facts, task: Task, found: Report) -> str:
    """Why it may not begin; "" if it may."""
    if facts.status is not None:
        return f"{facts.status.member} leads, so a majority is there"
    if task.subject != found.best:
        best = found.best or "none of those that were surveyed"
        return f"{task.subject} is not the one that can go on: {best} is"
    known = {member.member for member in found.members}
    late = [at for at in _answering(facts) if facts.seen.answers[at].member not in known]
    if late:
        return f"not surveyed, and there by now: {names(facts.spec.name, late)}; survey again"
    return ""


def _moved(now: Survey, found: Report, operation: str) -> str:
    """What is not as it was surveyed; "" if all is."""
    if now.fenced_by != operation:
        return f"{now.member} is not fenced by that survey any more: survey again"
    then = next((each for each in found.members if each.member == now.member), None)
    same = then is not None and (then.last_term, then.last_offset, then.chain) == (
        now.last_term, now.last_offset, now.chain,
    )  # fmt: skip
    return "" if same else f"{now.member} has something else than it had then: survey again"


def _not_stopped(now: Survey, task: Task) -> str:
    others = voters_of(now) - {now.member}
    if set(task.stopped) == others:
        return ""
    forgotten, strange = sorted(others - set(task.stopped)), sorted(set(task.stopped) - others)
    said = [f"not named: {', '.join(forgotten)}"] if forgotten else []
    said += [f"no other voter: {', '.join(strange)}"] if strange else []
    return f"stopped must be all other voters, by id; {'; '.join(said)}"


def cancel(facts: Facts, task: Task) -> Answer:
    """Let members that a survey fenced take part again, one after the other."""
    ended = facts.seen.surveyed.get(task.survey)
    if ended is None:
        surveys = (other for other in facts.seen.tasks if other.kind is TaskKind.SURVEY)
        if any(_cancels(task, other) for other in surveys):
            return None  # it ends first
        return _failed(task, f"{task.survey} is no survey of this log")
    fenced = {at for at, each in facts.seen.surveys.items() if each.fenced_by == ended.operation}
    if 0 < ended.begins <= facts.seen.decided.number:
        return _failed(task, f"the recovery by {facts.seen.decided.survivor} has begun")
    for at in sorted(fenced):
        step = UnfenceMember(at, ended.operation)
        return Do(step, f"{names(facts.spec.name, (at,))} takes part again")
    away = _unheard(facts)
    if away:
        which = names(facts.spec.name, away)
        return Hold("MembersSilent", f"task {task.name}: {which} may be fenced and gives no answer")
    return Do(FinishTask(task.name, True, "no member is fenced by that survey"), "it is taken back")


def _unheard(facts: Facts) -> list[int]:
    """Ordinals of disks with a member's data that does not say what it has."""
    heard = {each.member for each in facts.seen.surveys.values()}
    claims = facts.claims.items()
    return [at for at, each in claims if not each.retired and each.member_id not in {"", *heard}]


def _cancels(one: Task, other: Task) -> bool:
    return one.kind is TaskKind.CANCEL_SURVEY and one.survey == other.name


def _answering(facts: Facts) -> list[int]:
    """Ordinals of members that answer and have something of the log."""
    answers: Iterable[int] = facts.seen.answers
    return sorted(at for at in answers if facts.seen.answers[at].state not in APART)


def _ordinal_of(facts: Facts, member: str) -> int | None:
    return next((at for at, each in facts.seen.surveys.items() if each.member == member), None)


def _failed(task: Task, why: str) -> Do:
    return Do(FinishTask(task.name, False, why), why)
