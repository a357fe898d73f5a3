"""A plan: at most one step a lane, and what each lane waits for.

Decides: the lanes and their order, the most important first. Must not know: how a plan is made.
Read next: planner/plan.py.
"""

from enum import StrEnum
from typing import NamedTuple

from replog_operator.model.steps import Step


class Lane(StrEnum):
    """Lanes go on side by side: what one waits for holds no other, but REPAIR goes before MEMBERS
    and never beside it."""

    REPAIR = "repair"
    MEMBERS = "members"
    VOLUMES = "volumes"
    OBJECTS = "objects"
    TASKS = "tasks"


class Wait(NamedTuple):
    """Why a lane does not go on. code: a row of replog.wire.codes; evidence: what is so just now,
    one sentence."""

    lane: Lane
    code: str
    evidence: str


class LaneStep(NamedTuple):
    """What a lane does now. why: one sentence for people."""

    lane: Lane
    step: Step
    why: str


class Plan(NamedTuple):
    """What to do now, and what is waited for. Neither: all is as the resource wants it."""

    steps: tuple[LaneStep, ...] = ()
    waits: tuple[Wait, ...] = ()
