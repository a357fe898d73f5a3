"""Options that all commands of `kubectl rlog` share, named as kubectl's.

Decides: their names and defaults. Must not know: commands.
Read next: reach.py.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from replog.cli.options import JSON_OUTPUT


class Options(NamedTuple):
    """namespace: "" is the one of the context. context: "" is the current one. kubeconfig: None
    is where kubectl looks."""

    namespace: str
    context: str
    kubeconfig: Path | None
    json: bool


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options, as its first argument."""

    @click.option("-n", "--namespace", default="", help="Left out: the context's, or default.")
    @click.option("--context", default="", help="A context of the kubeconfig.")
    @click.option(
        "--kubeconfig",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Left out: $KUBECONFIG, ~/.kube/config, or the account of the pod that this runs in.",
    )
    @click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json is for programs and stays the same.",
    )
    @wraps(command)
    def with_shared(
        *args: Any,
        namespace: str,
        context: str,
        kubeconfig: Path | None,
        output: str,
        **options: Any,
    ) -> None:
        json = output == "json"
        click.get_current_context().meta[JSON_OUTPUT] = json
        command(Options(namespace, context, kubeconfig, json), *args, **options)

    return with_shared


def timeout(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that waits `timeout_s`."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0.1, max=86_400),
        default=60.0,
        show_default=True,
        help="Seconds to wait for the end.",
    )(command)
