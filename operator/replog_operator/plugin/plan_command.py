"""`kubectl rlog plan`: what the operator would do now, by its own look and planner; takes no step.

Decides: what is shown. Must not know: how steps are taken.
Read next: look.py, ../planner/describe.py.
"""

import time

import click

from replog.cli.exits import EXIT_REFUSED, Failure, run
from replog.cli.showing import print_json
from replog_operator.kube.gather import Gathered, gather
from replog_operator.model.observed import Operator
from replog_operator.model.plan import Plan
from replog_operator.planner.describe import describe, title
from replog_operator.plugin.look import (
    Told,
    doubts,
    obeyed,
    operator_of,
    planned,
    remembered,
)
from replog_operator.plugin.members import Noting
from replog_operator.plugin.options import Options, shared
from replog_operator.plugin.reach import RIGHTS, reaching, tell


@click.command(name="plan")
@click.argument("name")
@shared
def plan_command(options: Options, name: str) -> None:
    """Show the steps that the operator would take now, and what it waits for. Takes none."""
    run(_plan(options, name))


async def _plan(options: Options, name: str) -> None:
    async with reaching(options) as reach:
        await reach.log(name)
        found = await gather(Noting(reach.reads, reach.nodes), reach.nodes, reach.namespace, name)
        if found is None:
            raise Failure(f"{name} was deleted just now", EXIT_REFUSED)
        if reach.nodes.forbidden:
            raise Failure(
                "no plan without the members' answers, and you may not ask for them: "
                f"{reach.nodes.forbidden}; {RIGHTS}",
                EXIT_REFUSED,
            )
        target = obeyed(found.answers.values())
        lease = await reach.lease(target)
    now_s = time.time()
    made, told = _made(found, operator_of(target, lease), now_s), remembered(found.resource)
    if options.json:
        print_json(as_json(made, told))
        return
    for line in [*describe(made), *(f"told     waits: {t.code}  {t.message}" for t in told)]:
        click.echo(line)
    tell(doubts(found.resource, lease, now_s))


def _made(found: Gathered, operator: Operator, now_s: float) -> Plan:
    try:
        return planned(found, operator, now_s)
    except (ValueError, KeyError) as problem:
        raise Failure(f"the resource can't be read: {problem!r}", EXIT_REFUSED) from problem


def as_json(made: Plan, told: tuple[Told, ...]) -> dict[str, object]:
    """As `replog plan --output json`, and what only the operator knows."""
    return {
        "steps": [
            {"lane": step.lane.value, "step": title(step), "why": step.why} for step in made.steps
        ],
        "waits": [
            {"lane": wait.lane.value, "code": wait.code, "evidence": wait.evidence}
            for wait in made.waits
        ],
        "told": [{"code": wait.code, "message": wait.message} for wait in told],
    }
