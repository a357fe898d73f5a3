"""What a survey says of those that are left: who can go on, who is missing, what may be lost.

The best has the highest position (last term, then last offset) of those that are of the newest
lineage, vote, and have a whole log. By Raft it has all that any of them knew to be committed; and
all that was ever acknowledged, if they are a majority.

Decides: the best, and the sentences. Must not know: what is done with it (recovery.py).
Read next: recovery.py.
"""

from collections.abc import Mapping

from replog.wire.recovery import Survey
from replog_operator.model.surveys import Missing, Report, Surveyed
from replog_operator.planner.facts import Facts

NAMED_MAX = 12
"""Members that a sentence names; a log has seldom more than nine voters."""


def voters_of(found: Survey) -> set[str]:
    """All that vote by the newest configuration in its log, both halves."""
    return {*found.voters, *found.outgoing}


def report(facts: Facts, found: Mapping[int, Survey]) -> Report:
    """Of these members by ordinal, of which there is at least one."""
    number = max(each.number for each in found.values())
    alive = [each for each in found.values() if each.number == number]
    able = [each for each in alive if each.whole and each.member in voters_of(each)]
    best = max(able, key=_position, default=None)
    newest = best or max(alive, key=lambda each: each.configuration_offset)
    pods = {claim.member_id: at for at, claim in facts.claims.items() if claim.member_id}
    gone = sorted(voters_of(newest) - {each.member for each in alive})
    return Report(
        lineage=number,
        best="" if best is None else best.member,
        members=tuple(
            _surveyed(facts, at, each, votes=each.member in voters_of(newest))
            for at, each in sorted(found.items())
        ),
        missing=tuple(Missing(member, _pod(facts, pods.get(member))) for member in gone),
        text=_text(alive, best, gone),
    )


def summary(log: str, task: str, found: Report) -> str:
    """What the task itself says: the report, and how to go on."""
    if not found.best:
        return found.text
    others = ",".join(_others(found))
    return (
        f"{found.text} To go on with it alone: kubectl rlog recover {log} --survey {task} "
        f"--survivor {found.best}" + (f" --stopped {others}" if others else "")
    )


def _others(found: Report) -> list[str]:
    there = {each.member for each in found.members if each.votes and each.member != found.best}
    return sorted(there | {each.member for each in found.missing})


def _position(found: Survey) -> tuple[int, int, str]:
    return found.last_term, found.last_offset, found.member


def _surveyed(facts: Facts, ordinal: int, found: Survey, *, votes: bool) -> Surveyed:
    return Surveyed(
        found.member, _pod(facts, ordinal), bool(found.fenced_by), found.last_term,
        found.last_offset, found.chain, found.commit_offset, found.whole, votes,
    )  # fmt: skip


def _pod(facts: Facts, ordinal: int | None) -> str:
    return "" if ordinal is None else f"{facts.spec.name}-{ordinal}"


def _text(alive: list[Survey], best: Survey | None, gone: list[str]) -> str:
    if best is None:
        return "No member that is left has a whole log and a vote: bring lost disks back."
    commit = max(each.commit_offset for each in alive)
    has = f"{best.member} has most, up to offset {best.last_offset}"
    if best.last_offset > commit:
        has += f"; what it has after {commit} becomes committed, acknowledged or not"
    if _is_majority(alive, best):
        return f"{has}. A majority is left, so nothing that was acknowledged is lost."
    return (
        f"{has}. Up to offset {commit} nothing is lost; later records that only missing members "
        f"acknowledged are lost: {_named(gone)}."
    )


def _is_majority(alive: list[Survey], best: Survey) -> bool:
    """Whether those that are left are enough for both halves of the best one's configuration."""
    whole = {each.member for each in alive if each.whole}
    halves = [half for half in (best.voters, best.outgoing) if half]
    return all(2 * len(whole & set(half)) > len(half) for half in halves)


def _named(members: list[str]) -> str:
    more = f" and {len(members) - NAMED_MAX} more" if len(members) > NAMED_MAX else ""
    return ", ".join(members[:NAMED_MAX]) + more
