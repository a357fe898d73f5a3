"""What became of a step, in four words; the next pass looks for itself in any case.

Decides: which refusal of a member means what. Must not know: what the step was.
Read next: orders.py.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from replog.client import ApiError, Unavailable


class Became(StrEnum):
    """DONE: it is so now. SUPERSEDED: what it was planned from is not so any more; look again.

    REFUSED: nothing happened, and the same step would be refused again unless something changes.
    UNKNOWN: it may have happened.
    """

    DONE = "done"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Outcome(NamedTuple):
    """code: of replog.wire.codes for what a member said, Kubernetes' reason for what it said."""

    became: Became
    code: str = ""
    message: str = ""


DONE: Final = Outcome(Became.DONE)

_PLANNED_FROM_OTHER: Final = frozenset(
    {"change_in_progress", "not_leader", "stale_plan", "superseded", "transferring"}
)
"""Refusals of members after which a new look plans something else."""


def of_member(problem: ApiError | Unavailable) -> Outcome:
    """What a member's refusal, or its silence, means."""
    if isinstance(problem, ApiError) and problem.code in _PLANNED_FROM_OTHER:
        return Outcome(Became.SUPERSEDED, problem.code, problem.detail)
    became = Became.UNKNOWN if problem.outcome == "unknown" else Became.REFUSED
    code = problem.code if isinstance(problem, ApiError) else "Silent"
    return Outcome(became, code, problem.detail)
