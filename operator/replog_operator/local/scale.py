"""`replog scale N`: edits the resource, then watches the log get there.

Decides: what is said meanwhile, and when it is there. Must not know: how it gets there (planner).
Read next: followed.py, command.py.
"""

import asyncio
from pathlib import Path
from typing import Final

import click

from replog.cli.exits import EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_USAGE, Failure, run
from replog.wire.schemas import ClusterStatus
from replog_operator.local.command import admin_token, followed_by, parsed, set_replicas_or_fail
from replog_operator.local.directory import is_held
from replog_operator.local.gather import LocalNodes, gather
from replog_operator.local.notes import State
from replog_operator.local.said import Said
from replog_operator.local.settings import UpSettings
from replog_operator.local.spec import LocalSpec, replicas_fault
from replog_operator.local.state import STATE_NAME, StateUnusable, load

LOOK_S: Final = 0.5

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".replog"),
    show_default=True,
    help="Of the `replog up` that is meant.",
)


@click.command()
@click.argument("replicas", type=int)
@DATA_DIR
@click.option("--wait/--no-wait", default=True, help="Until the log has that many members.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=300.0)
def scale(replicas: int, data_dir: Path, *, wait: bool, timeout_s: float) -> None:
    """Have REPLICAS members in the log that `replog up` runs.

    It edits spec.replicas of the resource that is followed, and nothing else; members join and
    leave by one membership change. Ctrl-C leaves it going.
    """
    state = state_of(data_dir)
    path = followed_by(data_dir, state)
    _check(state, path, replicas)
    set_replicas_or_fail(path, replicas)
    click.echo(f"{path} asks for {replicas} members")
    if not is_held(data_dir):
        click.echo("`replog up` does not run there: it takes effect at its next start")
    elif held_by := _held_by(parsed(path)):
        click.echo(f"{held_by}: it takes effect when that is taken out of {path}")
    elif wait:
        run(_wait(settings_of(data_dir, state), replicas, timeout_s))


def state_of(data_dir: Path) -> State:
    """What the directory remembers; raises Failure if it holds no log."""
    try:
        state = load(data_dir)
    except StateUnusable as problem:
        raise Failure(str(problem), EXIT_REFUSED) from problem
    if state is None and is_held(data_dir):
        raise Failure(
            f"{data_dir / STATE_NAME} is gone, and `replog up` runs there: it writes it again "
            "within a few seconds; nothing was changed, ask again then",
            EXIT_UNAVAILABLE,
        )
    if state is None:
        raise Failure(f"no log in {data_dir}: `replog up` makes one", EXIT_REFUSED)
    return state


def settings_of(data_dir: Path, state: State) -> UpSettings:
    """Where the members of a directory listen."""
    file = Path(state.token_file) if state.token_file else None
    return UpSettings(
        data_dir=data_dir,
        client_port=state.client_port,
        peer_port=state.peer_port,
        token_file=file,
        token=None if file is None else admin_token(file),
    )


def _held_by(spec: LocalSpec) -> str:
    """What in the resource keeps members from coming and going now; "" if nothing does."""
    if spec.hibernate:
        return "spec.hibernate is set, so no member runs"
    return "spec.suspend is set, so nothing is changed" if spec.suspend else ""


def _check(state: State, path: Path, replicas: int) -> None:
    fault = replicas_fault(replicas, allow_even=parsed(path).allow_even)
    if fault is not None:
        raise Failure(fault, EXIT_USAGE)
    if state.fixed_replicas:
        raise Failure(
            f"`replog up` was started with --replicas {state.fixed_replicas}, which wins over "
            f"{path}: start it without",
            EXIT_REFUSED,
        )


async def _wait(settings: UpSettings, replicas: int, timeout_s: float) -> None:
    told = ""
    try:
        async with asyncio.timeout(timeout_s), LocalNodes(settings.token) as nodes:
            while True:
                asked = list(range(max(replicas, _asked_for(settings.data_dir))))
                said = await gather(nodes, settings, asked, thorough=False)
                words = _words(said, replicas)
                if words != told:
                    click.echo(words)
                    told = words
                if _is_there(said, replicas) and _asked_for(settings.data_dir) == replicas:
                    return
                await asyncio.sleep(LOOK_S)
    except TimeoutError as problem:
        raise Failure(
            f"not there after {timeout_s:g} s ({told}); it goes on, see `replog plan`",
            EXIT_UNAVAILABLE,
        ) from problem


def _asked_for(data_dir: Path) -> int:
    """How many processes there are to be just now."""
    state = load(data_dir)
    return 0 if state is None or state.workload is None else state.workload.replicas


def _status(said: Said) -> ClusterStatus | None:
    return None if said.leader is None else said.answers[said.leader]


def _words(said: Said, replicas: int) -> str:
    status = _status(said)
    if status is None:
        return "nobody leads"
    voters = sum(member.role == "voter" for member in status.members)
    learners = len(status.members) - voters
    joining = f", {learners} joining or leaving" if learners or status.joint else ""
    return f"{voters} of {replicas} members vote{joining}"


def _is_there(said: Said, replicas: int) -> bool:
    status = _status(said)
    return (
        status is not None
        and status.target is not None
        and status.target.reached
        and not status.joint
        and len(status.members) == replicas
        and said.ready == frozenset(range(replicas))
    )
