"""What people ask for once: a snapshot, another leader, one more try, an acknowledgement.

Decides: the oldest task's next step. Acknowledgements and tries are looked at where they matter
(size.py, authority.py, objects.py); here they end. Must not know: how tasks are stored.
Read next: model/observed.py (TaskKind).
"""

from typing import assert_never

from replog_operator.model.observed import Task, TaskKind
from replog_operator.model.steps import FinishTask, TakeSnapshot, Transfer
from replog_operator.planner.answer import Answer, Do, Hold
from replog_operator.planner.authority import authority
from replog_operator.planner.facts import Facts
from replog_operator.planner.recovery import cancel, recover, survey
from replog_operator.planner.silence import silences


def tasks(facts: Facts) -> Answer:
    """The next step of the oldest task that has one."""
    waiting: Hold | None = None
    for answer in answers(facts).values():
        if isinstance(answer, Do):
            return answer
        waiting = waiting or answer
    return waiting


def answers(facts: Facts) -> dict[str, Answer]:
    """What there is to say of each task, by its name, oldest first."""
    return {task.name: _task(facts, task) for task in facts.seen.tasks}


def _task(facts: Facts, task: Task) -> Answer:
    match task.kind:
        case TaskKind.SNAPSHOT | TaskKind.TRANSFER:
            return _told_to_leader(facts, task)
        case TaskKind.RETRY_VERSION:
            workload = facts.seen.workload
            over = workload is not None and not workload.bad_template
            return _finish(task, over, "no version is given up any more")
        case TaskKind.ACKNOWLEDGE_DATA:
            there = any(claim.name == task.subject for claim in facts.seen.claims)
            return _finish(task, not there, f"{task.subject} is gone")
        case TaskKind.ACKNOWLEDGE_OPERATOR:
            target = None if facts.status is None else facts.status.target
            ours = target is not None and target.holder == facts.seen.operator.holder
            return _finish(task, ours, "this operator is in charge")
        case TaskKind.SURVEY:
            return survey(facts, task)
        case TaskKind.RECOVER:
            return recover(facts, task)
        case TaskKind.CANCEL_SURVEY:
            return cancel(facts, task)
        case TaskKind.UNKNOWN:
            what = f"this operator does not know the action {task.subject}"
            return Do(FinishTask(task.name, False, what), what)
        case _:
            assert_never(task.kind)


def _told_to_leader(facts: Facts, task: Task) -> Answer:
    if facts.leader is None or facts.status is None:
        return Hold("NoLeader", f"task {task.name} waits for a leader")
    charge = authority(facts)
    if charge is not None:  # what this operator must do first holds no task; a refusal does
        return charge if isinstance(charge, Hold) else None
    if task.kind is TaskKind.SNAPSHOT:
        return Do(TakeSnapshot(facts.leader, task.name), "every member builds a snapshot")
    if task.subject not in facts.member_ids:
        return Do(FinishTask(task.name, False, f"{task.subject} is no member"), "no such member")
    if facts.status.member == task.subject:
        return _finish(task, True, f"{task.subject} leads")
    return _unfit(facts, task) or Do(
        Transfer(facts.leader, task.subject), f"{task.subject} is to lead"
    )


def _unfit(facts: Facts, task: Task) -> Hold | None:
    """Why the member that a task names can't lead yet: the leader would refuse over and over."""
    states = {answer.member: answer.state for answer in facts.seen.answers.values()}
    if states.get(task.subject) == "fenced":
        return Hold("Fenced", f"task {task.name}: {task.subject} takes part in nothing")
    if task.subject not in states:
        places = {member.id: ordinal for ordinal, member in facts.members.items()}
        at = places.get(task.subject)
        waiting = task.subject if at is None else silences(facts, [at])
        return Hold("MembersSilent", f"task {task.name}: no answer from {waiting}")
    voters = {member.id for member in facts.members.values() if member.role == "voter"}
    if task.subject not in voters:
        return Hold("ChangeInProgress", f"task {task.name}: {task.subject} has no lasting vote")
    return None


def _finish(task: Task, over: bool, message: str) -> Answer:
    return Do(FinishTask(task.name, True, message), message) if over else None
