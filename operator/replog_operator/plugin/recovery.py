"""`kubectl rlog survey | recover | unfence`: what a person decides of a log whose majority is gone.

Each makes one ReplicatedLogTask and waits for its end. Nobody is asked whether they mean it: to
name the survivor and everybody who is stopped, by id, is the acknowledgement.

Decides: which survey is meant where none is named. Must not know: what must be so before
(planner/recovery.py).
Read next: tasks.py, docs/runbooks/ReplogUnavailable.md.
"""

from typing import Any

import click

from replog.cli.exits import EXIT_REFUSED, Failure, run
from replog_operator.kube.kinds import TASK
from replog_operator.model.observed import TaskKind
from replog_operator.plugin.options import Options, shared, timeout
from replog_operator.plugin.reach import Reach, reaching
from replog_operator.plugin.tasks import ordered

by_survey = click.option("--survey", default="", help="The survey's task. Left out: the last Done.")


@click.command()
@click.argument("name")
@timeout
@shared
def survey(options: Options, name: str, timeout_s: float) -> None:
    """Of a log without a leader: fence all members that answer, and tell what they have."""
    run(_survey(options, name, timeout_s))


async def _survey(options: Options, name: str, timeout_s: float) -> None:
    async with reaching(options) as reach:
        await reach.log(name)
        await ordered(options, reach, {"log": name, "action": TaskKind.SURVEY.value}, timeout_s)


@click.command()
@click.argument("name")
@by_survey
@click.option("--survivor", required=True, help="The id of the member that goes on alone.")
@click.option(
    "--stopped",
    default="",
    help="The ids of all other voters, with commas: you say that they are stopped for good.",
)
@timeout
@shared
def recover(
    options: Options, name: str, survey: str, survivor: str, stopped: str, timeout_s: float
) -> None:
    """Let one member go on alone, as a survey says; what only the others had is lost."""
    run(_recover(options, name, survey, survivor, stopped, timeout_s))


async def _recover(
    options: Options, name: str, survey: str, survivor: str, stopped: str, timeout_s: float
) -> None:
    async with reaching(options) as reach:
        await reach.log(name)
        decision = {
            "survey": survey or await _last(reach, name),
            "survivor": survivor,
            "stopped": [member for member in stopped.split(",") if member],
        }
        spec = {"log": name, "action": TaskKind.RECOVER.value, "recovery": decision}
        await ordered(options, reach, spec, timeout_s)


@click.command()
@click.argument("name")
@by_survey
@timeout
@shared
def unfence(options: Options, name: str, survey: str, timeout_s: float) -> None:
    """Take a survey back: the members that it fenced take part again."""
    run(_unfence(options, name, survey, timeout_s))


async def _unfence(options: Options, name: str, survey: str, timeout_s: float) -> None:
    async with reaching(options) as reach:
        await reach.log(name)
        which = survey or await _last(reach, name)
        spec = {"log": name, "action": TaskKind.CANCEL_SURVEY.value, "survey": which}
        await ordered(options, reach, spec, timeout_s)


async def _last(reach: Reach, name: str) -> str:
    """The survey of this log that was Done last. Raises Failure."""
    found = [task for task in await reach.reads.list(TASK, reach.namespace, "") if _is(task, name)]
    if not found:
        raise Failure(f"no survey of {name} is Done; begin with `kubectl rlog survey {name}`, or "
                      "name its task by --survey", EXIT_REFUSED)  # fmt: skip
    last = max(found, key=lambda task: str(task["status"].get("finishedAt", "")))
    return str(last["metadata"]["name"])


def _is(task: dict[str, Any], log: str) -> bool:
    spec, status = task["spec"], task.get("status") or {}
    about = (spec["log"], spec["action"]) == (log, TaskKind.SURVEY.value)
    return about and status.get("state") == "Done"
