"""The image holds this very working tree: a layer that is taken from a cache must be of it, too."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.cluster.images import OURS
from tests.cluster.node import Cluster
from tests.cluster.versions import ROOT

PACKAGES = {
    "replog_operator": ROOT / "operator",
    "replog_node": ROOT / "node",
    "replog": ROOT / "node",
}
COMMANDS = ("replog", "replog-node", "replog-operator")
DIGESTS = """
import hashlib, json, pathlib, sys
for name in sys.argv[1:]:
    root = pathlib.Path(__import__(name).__file__).parent
    found = {str(p.relative_to(root.parent)): hashlib.sha256(p.read_bytes()).hexdigest()
             for p in root.rglob("*.py")}
    print(json.dumps(found))
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one"},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "node", "image": OURS, "command": ["sleep", "infinity"]}],
    },
}


@pytest.fixture
def inside(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    """How to run something within a pod of the image."""
    cluster.kubectl("apply", "-n", namespace, "-f", "-", said=json.dumps(POD))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/one", "-n", namespace, "--timeout=90s")
    return ("exec", "-n", namespace, "one", "--")


def test_every_module_in_the_image_is_the_one_of_this_tree(
    cluster: Cluster, inside: tuple[str, ...]
) -> None:
    told = cluster.kubectl(*inside, "python", "-c", DIGESTS, *PACKAGES)

    for line, (name, root) in zip(told.splitlines(), PACKAGES.items(), strict=True):
        assert json.loads(line) == digests(root, name)


def digests(root: Path, name: str) -> dict[str, str]:
    """Every module of a package, by its path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (root / name).rglob("*.py")
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_there(cluster: Cluster, inside: tuple[str, ...], command: str) -> None:
    cluster.kubectl(*inside, command, "--help")
