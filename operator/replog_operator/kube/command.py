"""`replog-operator`: the program in the operator's pod.

Decides: exit codes for wrong settings; that a lost lease ends the process without another word.
Must not know: what is done under the lease.
Read next: process.py, docs/operator-settings.md.
"""

import asyncio
import os
from typing import Any, NoReturn

import click
from kubernetes.aio.config import ConfigException

from replog.logs import configure
from replog_operator.failpoints import UnknownFailpoint, failpoint
from replog_operator.kube.process import MakePass, Process, Shell
from replog_operator.kube.reconcile import reconciler
from replog_operator.kube.settings import OperatorSettings, options, settled


@click.command()
@click.version_option(package_name="replicated-log")
@options
def main(**given: Any) -> None:
    """Look after the ReplicatedLogs of a Kubernetes cluster, or of some of its namespaces."""
    raise SystemExit(ran(OperatorSettings(**given), reconciler))


def ran(given: OperatorSettings, make_pass: MakePass) -> int:
    """Run one process to its end; its exit code. Raises click.UsageError."""
    settings = settled(given)
    configure(settings.log_format, settings.log_level)
    try:
        shell = Shell(_end, failpoint(os.environ))
        return asyncio.run(_run(settings, make_pass, shell))
    except (UnknownFailpoint, ConfigException, OSError) as problem:
        raise click.UsageError(str(problem)) from problem


async def _run(settings: OperatorSettings, make_pass: MakePass, shell: Shell) -> int:
    """Process belongs to the event loop, so it is made within."""
    return await Process(settings, make_pass, shell).run()


def _end(code: int) -> NoReturn:
    os._exit(code)
