"""`replog plan`: what `replog up` would do now, by the same look and planner; it does nothing.

It holds no lock and changes nothing, so it may be asked at any time, also while nothing runs.

Decides: what is shown. Must not know: how steps are taken (hands.py).
Read next: observe.py, ../planner/describe.py.
"""

import os
import time
from pathlib import Path

import click
import msgspec

from replog.cli.exits import run
from replog_operator.local.command import followed_by, parsed
from replog_operator.local.directory import is_held
from replog_operator.local.gather import LocalNodes, gather
from replog_operator.local.notes import State
from replog_operator.local.observe import observed, operator_of, ordinals_of, wishes_of
from replog_operator.local.reconcile import words_of
from replog_operator.local.said import Said
from replog_operator.local.scale import DATA_DIR, settings_of, state_of
from replog_operator.local.settings import UpSettings
from replog_operator.local.spec import LocalSpec
from replog_operator.local.template import hash_of, wanted_template
from replog_operator.model.observed import Observed, Operator, Pod, PodState
from replog_operator.model.plan import Plan
from replog_operator.planner.describe import describe, title
from replog_operator.planner.plan import plan


@click.command(name="plan")
@click.option("-f", "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="As if this resource were followed.")  # fmt: skip
@DATA_DIR
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def plan_command(file: Path | None, data_dir: Path, output: str) -> None:
    """Show the steps that `replog up` would take now, and what it waits for. Takes none."""
    state = state_of(data_dir)
    spec = parsed(file or followed_by(data_dir, state))
    if file is None and state.fixed_replicas:
        spec = spec._replace(replicas=state.fixed_replicas)
    run(_show(spec, state, settings_of(data_dir, state), output))


async def _show(spec: LocalSpec, state: State, settings: UpSettings, output: str) -> None:
    running = is_held(settings.data_dir)
    async with LocalNodes(settings.token) as nodes:
        ordinals = sorted(state.processes) if running else []
        said = await gather(nodes, settings, ordinals, thorough=True)
    made = plan(wishes_of(spec, state), _world(spec, state, settings, said, running=running))
    if output == "json":
        click.echo(msgspec.json.encode(_as_json(made, running=running)))
        return
    if not running:
        click.echo("`replog up` does not run there; at its next start, before any process runs:")
    for line in describe(made):
        click.echo(words_of(line))


def _world(
    spec: LocalSpec, state: State, settings: UpSettings, said: Said, *, running: bool
) -> Observed:
    template = hash_of(wanted_template(spec, os.environ))
    return observed(
        state, settings.peer_addresses(ordinals_of(spec, state)),
        _pods(state, said) if running else (), said,
        operator=_operator(state, said), template=template, now_s=time.time(),
    )  # fmt: skip


def _operator(state: State, said: Said) -> Operator:
    """The one that is in charge, as the log knows it: who plans here is nobody else."""
    for answer in said.answers.values():
        if answer.target is not None and answer.target.epoch == state.epoch:
            return Operator(state.epoch, answer.target.holder)
    return operator_of(state, "plan")


def _pods(state: State, said: Said) -> tuple[Pod, ...]:
    """The processes as they are seen from outside."""
    return tuple(
        Pod(
            f"member-{ordinal}", note.uid, "1", ordinal, _state(ordinal, said), note.created_s,
            note.created_s, note.template,
        )
        for ordinal, note in sorted(state.processes.items())
    )  # fmt: skip


def _state(ordinal: int, said: Said) -> PodState:
    if ordinal in said.ready:
        return PodState.READY
    return PodState.UNREADY if ordinal in said.answers else PodState.STARTING


def _as_json(made: Plan, *, running: bool) -> dict[str, object]:
    return {
        "running": running,
        "steps": [
            {"lane": step.lane.value, "step": title(step), "why": step.why} for step in made.steps
        ],
        "waits": [
            {"lane": wait.lane.value, "code": wait.code, "evidence": wait.evidence}
            for wait in made.waits
        ],
    }
