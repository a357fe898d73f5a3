"""The command line beside a cluster of the test's loop: in a thread, or as a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from click.testing import CliRunner

from replog.cli.commands import main
from tests.unit.client.cluster import Cluster


class Ran(NamedTuple):
    """What came of a command."""

    code: int
    out: bytes
    err: str


async def ran(made: Cluster | None, *arguments: str) -> Ran:
    """Run a command to its end, in this process, with files as its only input."""
    options = () if made is None else ("--endpoint", made.endpoint)
    runner = CliRunner(env={"REPLOG_ENDPOINTS": None})
    result = await asyncio.to_thread(runner.invoke, main, [*arguments, *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout_bytes, result.stderr)


@asynccontextmanager
async def process(
    made: Cluster, *arguments: str, stdout: int = asyncio.subprocess.PIPE
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command as a process, with pipes; it is gone at the end."""
    paths = os.pathsep.join(path for path in sys.path if path)
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from replog.cli import main; main()",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "",
            "PYTHONPATH": paths,
            "REPLOG_ENDPOINTS": made.endpoint,
        },
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()
