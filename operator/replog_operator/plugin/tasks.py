"""`kubectl rlog transfer | snapshot`: make a ReplicatedLogTask, and wait for its end.

Tasks are the only objects that the plugin makes.

Decides: who leads next where nobody is named, how long is waited, what is told meanwhile.
Must not know: how a task is done (planner/tasks.py).
Read next: recovery.py, sight.py, docs/operator.md (Tasks).
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import click

from replog.cli.exits import EXIT_REFUSED, EXIT_UNKNOWN, Failure, run
from replog.cli.showing import chosen, print_json
from replog.wire.schemas import ClusterStatus
from replog_operator.kube.children.names import API_VERSION, ordinal_of
from replog_operator.kube.client import path_of
from replog_operator.kube.kinds import TASK
from replog_operator.kube.ports import Refused, Unanswered
from replog_operator.kube.task_status import ENDED
from replog_operator.plugin.options import Options, shared, timeout
from replog_operator.plugin.reach import Reach, reaching
from replog_operator.plugin.sight import membership

LOOK_S: Final = 0.5
"""Between two looks at a task."""
TRIES: Final = 3
"""So many looks in a row may fail: an API server is away for a moment now and then."""


class Ended(NamedTuple):
    """What became of a task."""

    done: bool
    message: str


@click.command()
@click.argument("name")
@click.argument("member", required=False)
@timeout
@shared
def transfer(options: Options, name: str, member: str | None, timeout_s: float) -> None:
    """Hand leadership to MEMBER (a pod, an id, or its first letters), or to the best one."""
    run(_transfer(options, name, member, timeout_s))


async def _transfer(options: Options, name: str, member: str | None, timeout_s: float) -> None:
    async with reaching(options) as reach:
        await reach.log(name)
        to = member
        if to is None or ordinal_of(name, to) is None:
            known = await membership(reach, name)
            to = best(known) if to is None else chosen(known, to, f"kubectl rlog members {name}")
        spec = {"log": name, "action": "TransferLeader", "to": to}
        await ordered(options, reach, spec, timeout_s)


@click.command()
@click.argument("name")
@timeout
@shared
def snapshot(options: Options, name: str, timeout_s: float) -> None:
    """Let every member build a snapshot of its state at the end of the log."""
    run(_snapshot(options, name, timeout_s))


async def _snapshot(options: Options, name: str, timeout_s: float) -> None:
    async with reaching(options) as reach:
        await reach.log(name)
        await ordered(options, reach, {"log": name, "action": "Snapshot"}, timeout_s)


def best(known: ClusterStatus) -> str:
    """The voter beside the leader that lives and has most; raises Failure if there is none."""
    others = [
        member
        for member in known.members
        if member.role == "voter" and member.id != known.leader and member.alive is not False
    ]
    if not others:
        raise Failure("no other voter lives that could lead", EXIT_REFUSED)
    held = {m.id: -1 if m.match_offset is None else m.match_offset for m in others}
    return max(others, key=lambda member: (member.priority, held[member.id])).id


async def ordered(
    options: Options, reach: Reach, spec: Mapping[str, Any], timeout_s: float
) -> None:
    """Make the task, wait for its end, tell it. Raises Failure."""
    name = f"{spec['log']}-{spec['action'].lower()}-{secrets.token_hex(4)}"
    await _made(reach, name, spec)
    click.echo(f"task {name} is made", err=True)
    ended = await _ended(reach, name, time.monotonic() + timeout_s)
    if ended is None:
        raise Failure(
            f"task {name} is not done within {timeout_s:g} s; it stays, and may still be done. "
            f"See `kubectl rlog why {spec['log']}`, or take it back: "
            f"kubectl delete rlogtask {name} -n {reach.namespace}",
            EXIT_UNKNOWN,
            {"detail": f"task {name} is not done yet", "outcome": "unknown", "task": name},
        )
    if not ended.done:
        problem = {"detail": ended.message, "outcome": "none", "task": name}
        raise Failure(f"task {name} failed: {ended.message}", EXIT_REFUSED, problem)
    if options.json:
        print_json({"task": name, "done": True, "detail": ended.message})
    else:
        click.echo(ended.message)


async def _made(reach: Reach, name: str, spec: Mapping[str, Any]) -> None:
    task = {
        "apiVersion": API_VERSION,
        "kind": "ReplicatedLogTask",
        "metadata": {"name": name, "namespace": reach.namespace},
        "spec": dict(spec),
    }
    try:
        await reach.client.call("POST", path_of(TASK, reach.namespace), task)
    except Unanswered as problem:
        raise Failure(
            f"no answer, so the task {name} may have been made: {problem}; see "
            f"`kubectl get rlogtask {name} -n {reach.namespace}`",
            EXIT_UNKNOWN,
            {"detail": str(problem), "outcome": "unknown", "task": name},
        ) from problem


async def _ended(reach: Reach, name: str, until_s: float) -> Ended | None:
    """Look until it has ended; None if that takes too long. Raises Failure."""
    told, failed = "", 0
    while True:
        try:
            task = await reach.reads.get(TASK, reach.namespace, name)
        except (Unanswered, Refused) as problem:
            failed += 1
            if failed >= TRIES:
                raise _unseen(name, str(problem)) from problem
        else:
            if task is None:
                raise _unseen(name, "it was deleted before it ended")
            failed, status = 0, task.get("status") or {}
            if status.get("state") in ENDED:
                return Ended(status["state"] == "Done", status.get("message") or status["state"])
            told = _told(status, told)
        if time.monotonic() >= until_s:
            return None
        await asyncio.sleep(LOOK_S)


def _told(status: Mapping[str, Any], before: str) -> str:
    """Tell how far it is, whenever that is something else than before."""
    held = f"waits: {status['blockedOn']}: " if status.get("blockedOn") else ""
    line = f"{held}{status.get('message', '')}"
    if line and line != before:
        click.echo(line, err=True)
    return line


def _unseen(name: str, why: str) -> Failure:
    return Failure(
        f"task {name} was made, and can't be looked at any more: {why}; it may have been done",
        EXIT_UNKNOWN,
        {"detail": why, "outcome": "unknown", "task": name},
    )
