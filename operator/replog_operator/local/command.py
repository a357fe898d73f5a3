"""`replog up`: what was asked for, checked before anything is started.

Decides: options, and which faults end it at once. Must not know: how members are kept running.
Read next: supervisor.py, docs/cli.md.
"""

import asyncio
from pathlib import Path
from typing import Any

import click
import yaml

from replog.cli.exits import EXIT_REFUSED, EXIT_USAGE, Failure
from replog_operator.local.directory import DirectoryBusy, existing_members, held, taken
from replog_operator.local.display import Display
from replog_operator.local.settings import DEFAULT_CLIENT_PORT, DEFAULT_PEER_PORT, UpSettings
from replog_operator.local.spec import (
    FILE_BYTES_MAX,
    LocalSpec,
    SpecFaults,
    parse_spec,
    replicas_fault,
)
from replog_operator.local.supervisor import Supervisor

_PORT = click.IntRange(1, 65535)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("-f", "--file", type=_FILE, help="A ReplicatedLog resource (YAML).")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".replog"),
    show_default=True,
    help="Where the members keep their data.",
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

    A member that dies is started again. Data that is there already is continued.
    """
    spec = _spec(file, replicas)
    settings = UpSettings(
        replicas=spec.replicas,
        data_dir=data_dir,
        client_port=client_port,
        peer_port=peer_port,
        name=spec.name,
        token_file=None if token_file is None else token_file.absolute(),
        token=None if token_file is None else _admin_token(token_file),
    )
    fault = settings.port_fault()
    if fault is not None:
        raise Failure(fault, EXIT_USAGE)
    try:
        with held(data_dir):
            code = _run(settings, spec.ignored)
    except (DirectoryBusy, OSError) as problem:
        raise Failure(str(problem), EXIT_REFUSED) from problem
    raise click.exceptions.Exit(code)


def _run(settings: UpSettings, ignored: tuple[str, ...]) -> int:
    _check(settings)
    with Display() as display:
        if ignored:
            display.tell(f"without meaning on one machine: {', '.join(ignored)}")
        display.tell(f"{settings.replicas} members of {settings.name!r} in {settings.data_dir}")
        return asyncio.run(_supervise(settings, display))


async def _supervise(settings: UpSettings, display: Display) -> int:
    return await Supervisor(settings, display).run()


def _check(settings: UpSettings) -> None:
    busy = taken(settings.ports)
    if busy:
        raise Failure(
            f"in use already: {', '.join(busy)}; is the log running? "
            "Other ports: --client-port, --peer-port",
            EXIT_REFUSED,
        )
    there = existing_members(settings.data_dir)
    if there > settings.replicas:
        raise Failure(
            f"{settings.data_dir} holds {there} members, so {settings.replicas} are too few: "
            "this command adds members and never takes any away",
            EXIT_REFUSED,
        )


def _spec(file: Path | None, replicas: int | None) -> LocalSpec:
    spec = LocalSpec() if file is None else _parsed(file)
    if replicas is None:
        return spec
    fault = replicas_fault(replicas, allow_even=False)
    if fault is not None:
        raise Failure(f"--replicas: {fault}", EXIT_USAGE)
    return spec._replace(replicas=replicas)


def _parsed(file: Path) -> LocalSpec:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise SpecFaults((f"longer than {FILE_BYTES_MAX} bytes",))
        return parse_spec(file.read_text())
    except SpecFaults as problem:
        lines = "\n".join(f"  {fault}" for fault in problem.faults)
        raise Failure(f"{file} can't be followed:\n{lines}", EXIT_USAGE) from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise Failure(f"{file}: {problem}", EXIT_USAGE) from problem


def _admin_token(file: Path) -> str:
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
