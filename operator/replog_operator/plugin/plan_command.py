"""`kubectl rlog plan`: what the operator would do now, by its own look and planner; takes no step.

Decides: what is shown, and which doubts are told beside it. Must not know: how steps are taken.
Read next: look.py, ../planner/describe.py.
"""

import time
from datetime import datetime
from typing import Any, Final

import click

from replog.cli.exits import EXIT_REFUSED, Failure, run
from replog.cli.showing import print_json
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.gather import Gathered, gather
from replog_operator.kube.ports import Refused
from replog_operator.kube.reading import LEASE
from replog_operator.model.plan import Plan
from replog_operator.planner.describe import describe, title
from replog_operator.plugin.look import Told, lease_named, operator_of, planned, remembered
from replog_operator.plugin.members import Noting
from replog_operator.plugin.options import Options, shared
from replog_operator.plugin.reach import RIGHTS, Reach, reaching

SILENT_S: Final = 30.0
"""A lease that was renewed longer ago has no holder who lives, or one of our clocks is wrong."""


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
        lease = await _lease(reach, found)
    now_s = time.time()
    made, told = _made(found, lease, now_s), remembered(found.resource)
    if options.json:
        print_json(as_json(made, told))
        return
    for line in [*describe(made), *(f"told     waits: {t.code}  {t.message}" for t in told)]:
        click.echo(line)
    for doubt in doubts(found.resource, lease, now_s):
        click.echo(f"note: {doubt}", err=True)


def _made(found: Gathered, lease: Object | None, now_s: float) -> Plan:
    try:
        return planned(found, operator_of(found, lease), now_s)
    except (ValueError, KeyError) as problem:
        raise Failure(f"the resource can't be read: {problem!r}", EXIT_REFUSED) from problem


async def _lease(reach: Reach, found: Gathered) -> Object | None:
    """The operator's lease, if it may be read: most people may not, and need not."""
    named = lease_named(found)
    if named is None:
        return None
    try:
        return await reach.reads.get(LEASE, *named)
    except Refused:
        return None


def doubts(resource: Object, lease: Object | None, now_s: float) -> list[str]:
    """Why what is shown may not happen soon."""
    found = []
    status = resource.get("status") or {}
    if status.get("observedGeneration") != resource["metadata"]["generation"]:
        found.append("the operator has not told yet that it has seen the newest spec")
    spec: dict[str, Any] = {} if lease is None else lease.get("spec") or {}
    renewed = spec.get("renewTime")
    if lease is not None and not spec.get("holderIdentity"):
        found.append("nobody holds the operator's lease: no operator acts")
    elif renewed:
        silent_s = now_s - datetime.fromisoformat(renewed).timestamp()
        if silent_s > SILENT_S:
            found.append(f"the operator's lease was renewed {silent_s:.0f} s ago: does it run?")
    return found


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
