"""What the README tells to type on Kubernetes does what the README shows, on a real cluster."""

import json
import os
from collections.abc import Iterator
from subprocess import DEVNULL, CompletedProcess, run

import pytest

from tests.cluster.delivered import ROOT
from tests.cluster.images import OURS
from tests.cluster.node import Cluster
from tests.docs.markdown import Command, as_shown, blocks, commands
from tests.unit.house.files import text_of

DOCUMENT = "README.md"
MARK = "console cluster"
"""Console blocks so marked are typed here, all others in tests/docs/test_replay.py."""
NAMED = "docker.io/library/replicated-log:0.1.0"
"""What the README calls the image that it has built and loaded."""
COMMAND_S_MAX = 150
DEFINITIONS = ("crd/replicatedlogs.replog.dev", "crd/replicatedlogtasks.replog.dev")
CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard"},
    "provisioner": "replog.test/directory",
    "volumeBindingMode": "WaitForFirstConsumer",
}
"""The class that samples name, as kind has it."""


@pytest.fixture
def prepared(cluster: Cluster) -> Iterator[Cluster]:
    """The README's image and class of volumes, and no definitions; nothing else is left behind."""
    cluster.sandbox.run("ctr", "-n", "k8s.io", "images", "tag", "--force", OURS, NAMED)
    cluster.kubectl("apply", "-f", "-", said=json.dumps(CLASS))
    cluster.kubectl("delete", *DEFINITIONS, "--ignore-not-found")
    yield cluster
    cluster.kubectl.run("delete", "rlog", "orders", "--ignore-not-found")
    cluster.helm.run("uninstall", "replog-operator", "-n", "replog-system", "--wait")
    cluster.kubectl.run("delete", "pvc", "-l", "app.kubernetes.io/instance=orders", "--wait=false")


def typed(cluster: Cluster, command: Command) -> CompletedProcess[str]:
    """Carry out a command in bash, at the root of the project."""
    told = {"KUBECONFIG": str(cluster.kubeconfig), "HELM_CACHE_HOME": str(cluster.directory)}
    path = f"{cluster.programs}{os.pathsep}{os.environ['PATH']}"
    return run(
        ["bash", "-euo", "pipefail", "-c", command.text],
        cwd=ROOT,
        env={**os.environ, **told, "PATH": path},
        stdin=DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )


def state(cluster: Cluster) -> str:
    """What a person would look at next."""
    looks = (
        ("get", "rlog,pods,pvc", "-A"),
        ("describe", "rlog"),
        ("logs", "-n", "replog-system", "-l", "app.kubernetes.io/name=replog-operator"),
    )
    return "\n".join(cluster.kubectl.run(*look).output for look in looks)


def shown() -> list[Command]:
    """The commands that need a cluster."""
    found = [block for block in blocks(text_of(DOCUMENT)) if block.language == MARK]
    return [command for block in found for command in commands(block)]


@pytest.mark.timeout(360, func_only=True)
def test_from_nothing_to_five_members_as_the_readme_shows(prepared: Cluster) -> None:
    assert len(shown()) >= 8
    for command in shown():
        done = typed(prepared, command)
        told = f"{DOCUMENT}:{command.line}: {command.text}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, told + state(prepared)
        assert as_shown(command.expected, done.stdout), told


def test_the_readme_says_what_is_not_safe() -> None:
    assert "**There is no client authentication yet**" in text_of(DOCUMENT)
