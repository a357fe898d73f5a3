"""What one run of `replog up` was asked for, and what follows from it.

Decides: addresses and commands of the members. Must not know: processes.
Read next: supervisor.py.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
NODE_COMMAND: Final = "REPLOG_NODE_COMMAND"
NOT_FOR_NODES: Final = frozenset({NODE_COMMAND, "REPLOG_ENDPOINTS", "REPLOG_CLIENT_TOKEN_FILE"})
DEFAULT_CLIENT_PORT: Final = 7401
DEFAULT_PEER_PORT: Final = 7411


@dataclass(frozen=True, kw_only=True)
class UpSettings:
    """One run. token_file: the nodes' (docs/api.md, Permissions); token: one of it with `admin`."""

    replicas: int
    data_dir: Path
    client_port: int = DEFAULT_CLIENT_PORT
    peer_port: int = DEFAULT_PEER_PORT
    name: str = "replog"
    token_file: Path | None = None
    token: str | None = None

    @property
    def client_addresses(self) -> list[str]:
        """The members' client listeners."""
        return [f"{HOST}:{self.client_port + index}" for index in range(self.replicas)]

    @property
    def peer_addresses(self) -> list[str]:
        """The members' peer listeners."""
        return [f"{HOST}:{self.peer_port + index}" for index in range(self.replicas)]

    @property
    def ports(self) -> list[tuple[str, int]]:
        """All that will be listened at."""
        first = (self.client_port, self.peer_port)
        return [(HOST, port + index) for port in first for index in range(self.replicas)]

    def port_fault(self) -> str | None:
        """What is wrong with the ports, if anything."""
        ports = [port for _, port in self.ports]
        if max(ports) > 65535:
            return f"port {max(ports)}: the highest is 65535"
        if len(set(ports)) < len(ports):
            return (
                f"{self.replicas} members take client ports from {self.client_port} and peer "
                f"ports from {self.peer_port} on, and these overlap"
            )
        return None

    def command(self, index: int, directory: Path, environment: Mapping[str, str]) -> list[str]:
        """What starts member `index`; the environment may name another program (for tests)."""
        program = environment.get(NODE_COMMAND)
        # -P: a file of the current directory, such as queue.py, is no module of the node
        begun = shlex.split(program) if program else [sys.executable, "-P", "-m", "replog_node"]
        others = (a for at, a in enumerate(self.peer_addresses) if at != index)
        seeds = (part for address in others for part in ("--seed-peer", address))
        tokens = ("--token-file", str(self.token_file)) if self.token_file is not None else ()
        return [
            *begun,
            "--data-dir",
            str(directory),
            "--client-address",
            self.client_addresses[index],
            "--peer-address",
            self.peer_addresses[index],
            *seeds,
            *tokens,
        ]


def node_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a node: ours, without what is meant for us; output at once."""
    kept = {name: value for name, value in environment.items() if name not in NOT_FOR_NODES}
    paths = [path for path in sys.path if path]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
