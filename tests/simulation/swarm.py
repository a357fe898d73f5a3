"""One run of a seed: a cluster comes up, meets its faults under load, is healed, and is checked.

Decides: the course of a run, and what is counted of it.
Must not know: what is checked (checks.py), what a fault does (faults/).
Read next: plan.py, healing.py, failure.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.checks import Broken
from tests.simulation.faults import Strike, strike
from tests.simulation.finale import look_back
from tests.simulation.plan import Plan, draw
from tests.simulation.world import SECOND_US, World

APPENDS_MIN: Final = 50
STEPS_MIN: Final = 2_000
PATIENCE_S: Final = 40
"""A healed cluster that hasn't acknowledged APPENDS_MIN in so long doesn't serve."""


@dataclass
class Result:
    """What a run did. events: all that happened; simulated_s: in virtual time.

    answers: what clients were told, by kind; needed_all: no majority was enough to be healed first.
    """

    seed: int
    members: int
    steps: int
    events: int
    appends: int
    reads: int
    simulated_s: float
    faults: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    needed_all: bool = False
    digest: str = ""


def run_seed(seed: int, focus: str = "") -> Result:
    """Run a seed; raises Broken, or lets through what a member stopped with."""
    return run_plan(draw(seed, focus))


def run_plan(plan: Plan) -> Result:
    """Run a plan; raises as run_seed does."""
    world = bring_up(plan)
    play(world, plan)
    return result_of(world)


def bring_up(plan: Plan) -> World:
    """A cluster of the plan's shape, with its clients."""
    world = World(plan.seed, members=plan.members, voters=plan.voters, sizes=plan.sizes)
    world.network.climate = plan.climate
    world.value_bytes = plan.value_bytes
    return world


def play(world: World, plan: Plan) -> None:
    """The whole course of a run."""
    world.run(2)
    world.add_clients(plain=plan.plain, sessions=plan.sessions, readers=plan.readers)
    world.add_askers(plan.askers)
    for each in plan.strikes:
        world.clockwork.after(each.at_ms * 1000, lambda each=each: _strike(world, each))  # type: ignore[misc]
    world.run(plan.seconds)
    _be_struck(world, plan)
    _heal_a_majority(world)
    _heal_everybody(world)
    world.judged(lambda: look_back(world))


def _be_struck(world: World, plan: Plan) -> None:
    """A run in which no fault took effect would prove little: then the power fails somewhere."""
    if plan.strikes and not world.effects:
        strike(world, Strike(len(plan.strikes), 0, "power", plan.seed, plan.seed))
        world.run(1)


def _strike(world: World, each: Strike) -> None:
    strike(world, each)


def _heal_a_majority(world: World) -> None:
    """Some are well again, the others stay as they are: it must serve, and come to rest."""
    world.network.climate = type(world.network.climate)()
    some = world.healing.majority()
    world.clockwork.note("-", "healed", *(node.name for node in some))
    world.healing.heal(some)
    _until_enough(world)
    for client in world.clients:
        client.stopped = True
    world.healing.settle(some)
    world.healing.serve(some)


def _until_enough(world: World) -> None:
    world.run(3)
    end_us = world.clockwork.now_us + PATIENCE_S * SECOND_US
    while world.history.applied < APPENDS_MIN or world.steps < STEPS_MIN:
        world.run(0.5)
        if world.clockwork.now_us > end_us:
            raise world.broken(f"only {world.history.applied} appends in {PATIENCE_S} s of health")


def _heal_everybody(world: World) -> None:
    world.clockwork.note("-", "healed", "everybody")
    world.heal()
    world.settle()
    world.finish()


def result_of(world: World) -> Result:
    """What has been done."""
    return Result(
        seed=world.seed,
        members=len(world.nodes),
        steps=world.steps,
        events=world.clockwork.asked,
        appends=world.history.applied,
        reads=len(world.history.reads),
        simulated_s=world.clockwork.now_us / SECOND_US,
        faults=world.faults,
        effects=world.effects,
        answers=world.history.answers(),
        needed_all=world.healing.needed_all,
        digest=world.clockwork.trace.digest(),
    )


__all__ = ["Broken", "Result", "run_plan", "run_seed"]
