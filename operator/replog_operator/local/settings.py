"""What one run of `replog up` was asked for, and what follows from it.

Decides: addresses and commands of the members. Must not know: processes.
Read next: supervisor.py.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from replog_operator.local.directory import member_directory
from replog_operator.local.notes import Template

HOST: Final = "127.0.0.1"
NODE_COMMAND: Final = "REPLOG_NODE_COMMAND"
NOT_FOR_NODES: Final = frozenset({NODE_COMMAND, "REPLOG_ENDPOINTS", "REPLOG_CLIENT_TOKEN_FILE"})
PORT_MAX: Final = 65535
DEFAULT_CLIENT_PORT: Final = 7401
DEFAULT_PEER_PORT: Final = 7411


@dataclass(frozen=True, kw_only=True)
class UpSettings:
    """One run. token_file: the nodes' (docs/api.md, Permissions); token: one of it with `admin`."""

    data_dir: Path
    client_port: int = DEFAULT_CLIENT_PORT
    peer_port: int = DEFAULT_PEER_PORT
    name: str = "replog"
    token_file: Path | None = None
    token: str | None = None

    def client_address(self, ordinal: int) -> str:
        """A member's client listener."""
        return f"{HOST}:{self.client_port + ordinal}"

    def peer_address(self, ordinal: int) -> str:
        """A member's peer listener."""
        return f"{HOST}:{self.peer_port + ordinal}"

    def peer_addresses(self, replicas: int) -> tuple[str, ...]:
        """Of so many members."""
        return tuple(map(self.peer_address, range(replicas)))

    def ports(self, ordinals: Iterable[int]) -> list[tuple[str, int]]:
        """All that these members listen at."""
        listed = list(ordinals)
        first = (self.client_port, self.peer_port)
        return [(HOST, port + ordinal) for port in first for ordinal in listed]

    def port_fault(self, replicas: int) -> str | None:
        """What is wrong with the ports of so many members, if anything."""
        ports = [port for _, port in self.ports(range(replicas))]
        if max(ports, default=0) > PORT_MAX:
            return f"port {max(ports)}: the highest is {PORT_MAX}"
        if len(set(ports)) < len(ports):
            return (
                f"{replicas} members take client ports from {self.client_port} and peer "
                f"ports from {self.peer_port} on, and these overlap"
            )
        return None

    def command(self, ordinal: int, template: Template, replicas: int) -> list[str]:
        """What starts this member of so many."""
        others = (self.peer_address(at) for at in range(replicas) if at != ordinal)
        seeds = (part for address in others for part in ("--seed-peer", address))
        tokens = ("--token-file", str(self.token_file)) if self.token_file is not None else ()
        settings = (
            part
            for name, value in sorted(template.settings.items())
            for part in (f"--{name.replace('_', '-')}", str(value))
        )
        return [
            *template.program,
            "--data-dir",
            str(member_directory(self.data_dir, ordinal).absolute()),
            "--client-address",
            self.client_address(ordinal),
            "--peer-address",
            self.peer_address(ordinal),
            *seeds,
            *tokens,
            *settings,
        ]


def node_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a node: ours, without what is meant for us; output at once."""
    kept = {name: value for name, value in environment.items() if name not in NOT_FOR_NODES}
    paths = [path for path in sys.path if path]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
