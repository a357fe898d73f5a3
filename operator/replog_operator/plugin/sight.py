"""`kubectl rlog status | why | members`: the operator's word and each member's own, side by side.

Decides: what is put beside what. Must not know: how members are asked.
Read next: members.py, node/replog/cli/showing.py.
"""

import time
from collections.abc import Sequence
from typing import Any

import click

from replog.cli.exits import EXIT_REFUSED, EXIT_UNAVAILABLE, Failure, run
from replog.cli.showing import (
    Seen,
    new_table,
    print_json,
    print_table,
    show_members,
    show_status,
    show_waits,
)
from replog.wire.codes import known, row
from replog.wire.schemas import ClusterStatus, Wait
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.pods import seconds
from replog_operator.plugin.look import doubts, obeyed, waits_of
from replog_operator.plugin.members import leaders_view, see
from replog_operator.plugin.options import Options, shared
from replog_operator.plugin.reach import RIGHTS, Reach, reaching, tell

OPERATOR = "operator"
"""Who waits, where the status says it."""


@click.command()
@click.argument("name")
@shared
def status(options: Options, name: str) -> None:
    """Show what the operator tells of a log, and what each member knows."""
    run(_status(options, name))


async def _status(options: Options, name: str) -> None:
    async with reaching(options) as reach:
        resource = await reach.log(name)
        found = await see(reach.nodes, await reach.pods(name))
        lease = await reach.lease(obeyed(seen.status for seen in found))
    if options.json:
        print_json(
            {
                "name": name,
                "namespace": reach.namespace,
                "status": resource.get("status") or {},
                "members": found,
            }
        )
        return
    for line in summary(resource):
        click.echo(line)
    _show_conditions(resource)
    show_status(found)
    tell(doubts(resource, lease, time.time()))


def summary(resource: Object) -> list[str]:
    """The columns of `kubectl get rlog` in words, and what is under way."""
    told, name = resource.get("status") or {}, resource["metadata"]["name"]
    if not told:
        return [f"{name}: the operator has told nothing of it yet; does it run?"]
    parts = [
        f"{told.get('ready', '0/0')} ready",
        f"{told.get('voters', 0)} voters",
        f"{told.get('leader') or 'nobody'} leads",
        f"{told['tolerates']} may fail"
        if "tolerates" in told
        else "nobody knows how many may fail",
        f"version {told.get('version') or 'unknown'}",
    ]
    lines = [f"{name}: {told.get('summary', '')}: {', '.join(parts)}"]
    operation = told.get("operation")
    if operation:
        held = f", held by {operation['blockedOn']}" if operation.get("blockedOn") else ""
        lines.append(f"{operation['kind']} since {operation['since']}: {operation['step']}{held}")
    return lines


def _show_conditions(resource: Object) -> None:
    found = (resource.get("status") or {}).get("conditions") or ()
    if not found:
        return
    table = new_table("condition", "status", "reason", "since", "message")
    for each in found:
        table.add_row(*(each[key] for key in ("type", "status", "reason", "lastTransitionTime",
                                              "message")))  # fmt: skip
    print_table(table)


@click.command()
@click.argument("name")
@shared
def why(options: Options, name: str) -> None:
    """Show all that is waited for, since when, and what to do; nothing is good news."""
    run(_why(options, name))


async def _why(options: Options, name: str) -> None:
    async with reaching(options) as reach:
        resource = await reach.log(name)
        found = await see(reach.nodes, await reach.pods(name))
        lease = await reach.lease(obeyed(seen.status for seen in found))
    whole = [Seen(OPERATOR, None, operator_waits(resource, time.time())), *found]
    if options.json:
        print_json(whole)
    else:
        show_waits(whole)
        tell(doubts(resource, lease, time.time()))


def operator_waits(resource: Object, now_s: float) -> list[Wait]:
    """The waits of the status in the form of members' own; the meaning stands before the evidence
    there, and is taken off."""
    return [_wait(wait, now_s) for wait in waits_of(resource)]


def _wait(wait: dict[str, Any], now_s: float) -> Wait:
    code, message = wait["code"], wait["message"]
    meaning = row(code).meaning if known(code) else ""
    evidence = message.removeprefix(meaning).strip()
    return Wait(
        code,
        meaning or message,
        wait.get("next", ""),
        max(0.0, now_s - seconds(wait.get("since"), now_s)),
        evidence,
    )


@click.command()
@click.argument("name")
@shared
def members(options: Options, name: str) -> None:
    """Show who belongs to the log, as its leader sees them."""
    run(_members(options, name))


async def _members(options: Options, name: str) -> None:
    async with reaching(options) as reach:
        await reach.log(name)
        known = await membership(reach, name)
    show_members(known, json=options.json, why=f"kubectl rlog why {name}")


async def membership(reach: Reach, name: str) -> ClusterStatus:
    """As the leader sees it, or else somebody; raises Failure where nobody answers."""
    found = await see(reach.nodes, await reach.pods(name))
    known = leaders_view(found)
    if known is None:
        raise Failure(_nobody(found, reach.nodes.forbidden), *_code(reach.nodes.forbidden))
    return known


def _nobody(found: Sequence[Seen], forbidden: str) -> str:
    if forbidden:
        return f"you may not ask members: {forbidden}; {RIGHTS}"
    said = "; ".join(f"{seen.endpoint}: {seen.error}" for seen in found) or "there are no pods"
    return f"no member answered: {said}"


def _code(forbidden: str) -> tuple[int]:
    return (EXIT_REFUSED if forbidden else EXIT_UNAVAILABLE,)
