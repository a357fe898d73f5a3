"""`replog up`: what was asked for, checked before anything is started.

Decides: options, which file is followed, and which faults end it at once.
Must not know: how members are kept running.
Read next: supervisor.py, followed.py, docs/cli.md.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click
import yaml
from msgspec.structs import replace

from replog.cli.exits import EXIT_REFUSED, EXIT_USAGE, Failure
from replog_operator.failpoints import LOCAL_NAMES, UnknownFailpoint, failpoint
from replog_operator.local.directory import (
    DirectoryBusy,
    existing_members,
    held,
    ordinals_in,
    taken,
)
from replog_operator.local.display import Display
from replog_operator.local.followed import (
    RESOURCE_NAME,
    Followed,
    new_resource,
    read_resource,
    set_replicas,
)
from replog_operator.local.notes import ClaimNote, State
from replog_operator.local.settings import DEFAULT_CLIENT_PORT, DEFAULT_PEER_PORT, UpSettings
from replog_operator.local.spec import LocalSpec, SpecFaults, replicas_fault
from replog_operator.local.state import StateFile, StateUnusable, load, new_uid, write_durably
from replog_operator.local.supervisor import Supervisor

_PORT = click.IntRange(1, 65535)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NAME: Final = "replog"


@click.command()
@click.option("-f", "--file", type=_FILE, help="A ReplicatedLog resource (YAML), followed.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".replog"),
    show_default=True,
    help="Where the members keep their data, and log.yaml the resource without --file.",
)
@click.option("--replicas", type=int, help="How many members; 3 without a file.")
@click.option("--client-port", type=_PORT, default=DEFAULT_CLIENT_PORT, show_default=True)
@click.option("--peer-port", type=_PORT, default=DEFAULT_PEER_PORT, show_default=True)
@click.option("--token-file", type=_FILE, help="Who may do what (docs/api.md); for all members.")
def up(
    file: Path | None,
    data_dir: Path,
    replicas: int | None,
    client_port: int,
    peer_port: int,
    token_file: Path | None,
) -> None:
    """Run the members of a log on this machine until Ctrl-C.

    A member that dies is started again. Data that is there already is continued. When the resource
    is edited, or by `replog scale`, what it asks for is carried out.
    """
    _check_replicas(replicas)
    settings = UpSettings(
        data_dir=data_dir,
        client_port=client_port,
        peer_port=peer_port,
        token_file=None if token_file is None else token_file.absolute(),
        token=None if token_file is None else admin_token(token_file),
    )
    if file is not None:
        parsed(file)  # its faults are told before anything is made
    fault = settings.port_fault(replicas or 1)
    if fault is not None:
        raise Failure(fault, EXIT_USAGE)
    try:
        with held(data_dir):
            code = _run(settings, file, replicas)
    except (DirectoryBusy, StateUnusable, OSError) as problem:
        raise Failure(str(problem), EXIT_REFUSED) from problem
    raise click.exceptions.Exit(code)


def _check_replicas(replicas: int | None) -> None:
    fault = None if replicas is None else replicas_fault(replicas, allow_even=False)
    if fault is not None:
        raise Failure(f"--replicas: {fault}", EXIT_USAGE)


def _run(settings: UpSettings, file: Path | None, replicas: int | None) -> int:
    state = load(settings.data_dir)
    if state is not None:
        _check_is_no_twin(settings.data_dir, state)
    path = resource_of(settings.data_dir, file, state, replicas).absolute()
    if replicas is not None and file is None:
        set_replicas_or_fail(path, replicas)
    spec = parsed(path)
    if replicas is not None:
        spec = spec._replace(replicas=replicas)
    _check(settings, spec, state)
    try:
        reach = failpoint(os.environ, LOCAL_NAMES)
    except UnknownFailpoint as problem:
        raise Failure(str(problem), EXIT_USAGE) from problem
    kept = StateFile(settings.data_dir, state or _first(settings, path), reach)
    kept.save(
        replace(
            kept.now, resource=_kept_as(settings.data_dir, path),
            place=str(settings.data_dir.resolve()), client_port=settings.client_port,
            peer_port=settings.peer_port, token_file=str(settings.token_file or ""),
            fixed_replicas=replicas if file is not None and replicas is not None else 0,
        )
    )  # fmt: skip
    with Display() as display:
        if spec.ignored:
            display.tell(f"without meaning on one machine: {', '.join(spec.ignored)}")
        display.tell(f"{spec.replicas} members of {spec.name!r} in {settings.data_dir}, by {path}")
        followed = Followed(path, spec, display.tell, replicas if file is not None else None)
        return asyncio.run(_supervise(kept, followed, settings, display, fresh=state is None))


async def _supervise(
    kept: StateFile, followed: Followed, settings: UpSettings, display: Display, *, fresh: bool
) -> int:
    return await Supervisor(kept, followed, settings, display, fresh=fresh).run()


def resource_of(
    data_dir: Path, file: Path | None, state: State | None, replicas: int | None
) -> Path:
    """The file to follow: the one that is named, was followed last, or is made now."""
    if file is not None:
        return file
    path = data_dir / RESOURCE_NAME
    if state is not None:
        path = followed_by(data_dir, state)
        if not path.exists() and path != data_dir / RESOURCE_NAME:
            raise Failure(f"{path}, which was followed, is gone: name one with -f", EXIT_REFUSED)
    if not path.exists():
        wanted = replicas or max(LocalSpec().replicas, existing_members(data_dir))
        write_durably(path, new_resource(_NAME, wanted).encode())
    return path


def followed_by(data_dir: Path, state: State) -> Path:
    """The file that a directory follows; its own one goes with it wherever that is moved to."""
    return data_dir / state.resource


def _kept_as(data_dir: Path, path: Path) -> str:
    own = path.resolve() == (data_dir / RESOURCE_NAME).resolve()
    return RESOURCE_NAME if own else str(path)


def _check_is_no_twin(data_dir: Path, state: State) -> None:
    """A copy that runs beside the original is the same members twice: records would be lost."""
    if state.place in ("", str(data_dir.resolve())):
        return
    running = 0 if state.workload is None else state.workload.replicas
    before = UpSettings(data_dir=data_dir, client_port=state.client_port, peer_port=state.peer_port)
    busy = taken(before.ports(range(running)))
    if busy:
        raise Failure(
            f"{data_dir} was {state.place} when it was used last, and somebody still answers at "
            f"{', '.join(busy)}: if it is a copy, the same members would run twice and records "
            "would be lost; stop the other one first",
            EXIT_REFUSED,
        )


def _first(settings: UpSettings, path: Path) -> State:
    """Of a directory that remembers nothing. Members that are there are taken as they are."""
    return State(
        new_uid(), str(path), settings.client_port, settings.peer_port,
        claims={at: ClaimNote(new_uid()) for at in ordinals_in(settings.data_dir)},
    )  # fmt: skip


def _check(settings: UpSettings, spec: LocalSpec, state: State | None) -> None:
    """Refuse what can't begin at all: ports that can't be, or are in use."""
    first = max(spec.replicas, _begun(settings.data_dir, state))
    fault = settings.port_fault(first)
    if fault is not None:
        raise Failure(fault, EXIT_USAGE)
    busy = taken(settings.ports(range(first)))
    if busy:
        raise Failure(
            f"in use already: {', '.join(busy)}; is the log running? "
            "Other ports: --client-port, --peer-port",
            EXIT_REFUSED,
        )


def _begun(data_dir: Path, state: State | None) -> int:
    """How many members begin before the log is asked; one that was removed and left is none."""
    if state is None:
        return existing_members(data_dir)
    running = 0 if state.workload is None else state.workload.replicas
    held = [ordinal for ordinal, claim in state.claims.items() if not claim.retired]
    return max(running, 1 + max(held, default=-1))


def set_replicas_or_fail(path: Path, replicas: int) -> None:
    """Ask for so many members in the file; what is there already is not written again."""
    with suppress(SpecFaults):
        if read_resource(path).replicas == replicas:
            return
    try:
        set_replicas(path, replicas)
    except SpecFaults as problem:
        raise _followed_not(path, problem) from problem


def parsed(file: Path) -> LocalSpec:
    """What a file asks for; raises Failure with all its faults."""
    try:
        return read_resource(file)
    except SpecFaults as problem:
        raise _followed_not(file, problem) from problem


def _followed_not(file: Path, problem: SpecFaults) -> Failure:
    lines = "\n".join(f"  {fault}" for fault in problem.faults)
    return Failure(f"{file} can't be followed:\n{lines}", EXIT_USAGE)


def admin_token(file: Path) -> str:
    """The first token of the file that is given as text and permits `admin`."""
    try:
        found: Any = yaml.safe_load(file.read_text())
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as problem:
        raise Failure(f"{file}: {problem}", EXIT_USAGE) from problem
    for item in found if isinstance(found, list) else []:
        if not isinstance(item, dict):
            continue
        token, permissions = item.get("token"), item.get("permissions")
        if isinstance(token, str) and isinstance(permissions, list) and "admin" in permissions:
            return token
    raise Failure(
        f"{file}: no item with `token` as text and the permission `admin`, which is needed to "
        "join the members",
        EXIT_USAGE,
    )
