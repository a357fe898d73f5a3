"""Options that all commands share: where the cluster is, who asks, how answers look.

Decides: their names, defaults and environment variables. Must not know: commands.
Read next: commands.py.
"""

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from replog.cli.exits import EXIT_USAGE, Failure
from replog.client import Client

DEFAULT_ENDPOINTS: Final = "127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403"

JSON_OUTPUT: Final = "replog.json_output"
"""Where the context says that a program reads the output, so that errors are JSON, too."""


class Shared:
    """The values of the shared options."""

    def __init__(
        self, endpoints: str, token_file: str | None, timeout_s: float, output: str
    ) -> None:
        self.endpoints = [text.strip() for text in endpoints.split(",") if text.strip()]
        self.timeout_s = timeout_s
        self.output = output
        self._token_file = token_file
        if not math.isfinite(timeout_s):
            raise click.BadParameter("a number of seconds", param_hint="--timeout")
        if not self.endpoints or not all(_is_address(text) for text in self.endpoints):
            raise click.BadParameter("host:port, several by commas", param_hint="--endpoint")

    @property
    def json(self) -> bool:
        """Whether answers are wanted as JSON."""
        return self.output == "json"

    def token(self) -> str | None:
        """The token to present; raises Failure if its file can't be one."""
        if self._token_file is None:
            return None
        try:
            token = Path(self._token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise Failure(f"--token-file {self._token_file}: {problem}", EXIT_USAGE) from problem
        if not token or not token.isprintable():
            raise Failure(
                f"--token-file {self._token_file}: one line with the token, and nothing else",
                EXIT_USAGE,
            )
        return token

    def client(self, endpoints: list[str] | None = None) -> Client:
        """A client of the cluster, or of other listeners of it."""
        return Client(endpoints or self.endpoints, token=self.token(), timeout_s=self.timeout_s)


def _is_address(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535
    return bool(host and colon and is_port and "/" not in host)


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options, as its first argument."""

    @click.option(
        "--endpoint",
        "endpoints",
        envvar="REPLOG_ENDPOINTS",
        default=DEFAULT_ENDPOINTS,
        show_default=True,
        help="Client listeners, host:port, several by commas; any member will do.",
    )
    @click.option(
        "--token-file",
        envvar="REPLOG_CLIENT_TOKEN_FILE",
        type=click.Path(dir_okay=False),
        help="A file with the token to present.",
    )
    @click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0.1),
        default=60.0,
        show_default=True,
        help="Seconds for each call with all its tries; elections take one or two.",
    )
    @click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json is for programs and stays the same.",
    )
    @wraps(command)
    def with_shared(
        *args: Any,
        endpoints: str,
        token_file: str | None,
        timeout_s: float,
        output: str,
        **options: Any,
    ) -> None:
        click.get_current_context().meta[JSON_OUTPUT] = output == "json"
        command(Shared(endpoints, token_file, timeout_s, output), *args, **options)

    return with_shared
