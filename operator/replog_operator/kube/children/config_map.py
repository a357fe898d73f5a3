"""The ConfigMap: the settings of all nodes as the file that they read, and the lineage in force.

Each file has its hash in its key, and a template names the key: so a pod that is made from a former
template, as in a roll that is taken back, reads the settings that belong to that one.

Decides: which settings the operator fixes, how files are called. Must not know: what settings mean,
which former files are still needed (../former.py).
Read next: pod.py.
"""

import hashlib
from typing import Final

import yaml

from replog_operator.kube.children.names import CLIENT_PORT, DATA_DIR, PEER_PORT
from replog_operator.kube.children.wanted import Object, Wanted, metadata
from replog_operator.model.surveys import number_of

CONFIG_FILE: Final = "node.yaml"
"""How pods see the file, whatever its key."""
CONFIG_DIR: Final = "/etc/replog"
LINEAGE_KEY: Final = "lineage"
"""The number alone: nodes read it as a file (lineage_file)."""
SURVIVOR_KEY: Final = "survivor"
"""The member that alone may begin that lineage; for the operator only."""
HASH_CHARS: Final = 16

GRACE_MS: Final = 20_000
"""To hand over and drain at SIGTERM; pod.py gives a pod more than that."""

_FIXED: Final[dict[str, int | str | bool]] = {
    "data_dir": DATA_DIR,
    "lineage_file": f"{CONFIG_DIR}/{LINEAGE_KEY}",
    "client_address": f"0.0.0.0:{CLIENT_PORT}",
    "peer_address": f"0.0.0.0:{PEER_PORT}",
    "insecure": True,  # until there is authentication; the condition Insecure says so
    "log_format": "json",
    "shutdown_grace_ms": GRACE_MS,
}


def config_map(wanted: Wanted) -> Object:
    """Build it. The lineage is a key of its own: it changes without a restart of any node.

    It never falls: what was noted for a recovery stays until members tell of more.
    """
    number = max(number_of(wanted.lineage), wanted.decided.number)
    survivor = wanted.decided.survivor if number == wanted.decided.number else ""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(wanted),
        "data": {
            **wanted.former,
            config_key(config_hash(wanted)): node_config(wanted),
            LINEAGE_KEY: str(number) if number else "",
            **({SURVIVOR_KEY: survivor} if survivor else {}),
        },
    }


def config_key(settings: str) -> str:
    """The key of the file of this hash."""
    return f"node-{settings}.yaml"


def node_config(wanted: Wanted) -> str:
    """The settings file of every node; what differs between them is in a pod's environment."""
    return yaml.safe_dump({**wanted.settings, **_FIXED}, sort_keys=True)


def config_hash(wanted: Wanted) -> str:
    """Tells two settings files apart."""
    return hashlib.sha256(node_config(wanted).encode()).hexdigest()[:HASH_CHARS]
