"""`kubectl rlog …`: each command by kubectl itself, with the rights that docs/operator.md lists."""

import io
import json
import os
import re
import signal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replog.cli.exits import EXIT_REFUSED, EXIT_UNKNOWN
from tests.cluster.accounts import Account
from tests.cluster.kubectl import Done, Program
from tests.cluster.loading import CLIENT, client_pod
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators
from tests.unit.house.files import text_of

MODULE = "replog_operator"
SECRET = "planted-in-an-environment-7d1e"
ENV = {"env": [{"name": "SOME_KEY", "value": SECRET}]}
LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}
ALL = "statefulsets,services,configmaps,pvc,pdb,networkpolicies,rlog,rlogtask"


NOTHING: Any = {"steps": [], "waits": [], "told": []}


def listed() -> list[dict[str, Any]]:
    """The rights of the table in docs/operator.md, and the one in the operator's namespace."""
    (section,) = re.findall(
        r"^### kubectl rlog\n(.*?)^## ", text_of("docs/operator.md"), re.M | re.S
    )
    rows = re.findall(r"^\| [^|]+ \| ([a-z, ]+) \| (`[^|]+) \|$", section, re.M)
    assert len(rows) >= 5
    return [LEASES] + [
        {"apiGroups": ["*"], "verbs": verbs.split(", "), "resources": re.findall(r"`(.*?)`", named)}
        for verbs, named in rows
    ]


class Person:
    """Somebody with an account, in a shell with the plugin on the PATH."""

    def __init__(self, cluster: Cluster, namespace: str, kubeconfig: Path) -> None:
        self._kubectl = Program(cluster.programs / "kubectl", kubeconfig)
        self._namespace = namespace

    def run(self, command: str, *arguments: str) -> Done:
        """`kubectl rlog COMMAND orders …`."""
        return self._kubectl.run("rlog", command, LOG, *arguments, "-n", self._namespace)

    def told(self, command: str, *arguments: str) -> Any:
        """The JSON that it prints; it must succeed."""
        done = self.run(command, *arguments, "-o", "json")
        assert done.code == 0, f"{command}: {done}"
        return json.loads(done.output)

    def text(self, command: str, *arguments: str) -> str:
        """The text that it prints; it must succeed."""
        done = self.run(command, *arguments)
        assert done.code == 0, f"{command}: {done}"
        return done.output


@pytest.fixture
def _plugin_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is installed."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


def person(cluster: Cluster, namespace: str, directory: Path, name: str, rules: Any) -> Person:
    """With these rights."""
    account = Account(cluster, namespace, name)
    account.allow(rules)
    return Person(cluster, namespace, account.kubeconfig(directory))


@pytest.fixture
def acting(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> Iterator[Operator]:
    """The operator runs, and a client waits."""
    operator = Operator(cluster, namespace, "one", tmp_path, module=MODULE)
    with operators(operator), client_pod(cluster, namespace):
        yield operator


@pytest.mark.timeout(400, func_only=True)
@pytest.mark.usefixtures("_plugin_on_the_path")
def test_each_command_runs_with_the_rights_that_are_listed_and_the_plan_is_what_is_done(
    cluster: Cluster, namespace: str, acting: Operator, tmp_path: Path
) -> None:
    log = ManagedLog(cluster, namespace, acting.said)
    log.apply("three", podTemplate=ENV)
    log.wait_until_ready(3)
    log.append(CLIENT, "one\ntwo\n")
    somebody = person(cluster, namespace, tmp_path, "somebody", listed())

    log.wait("nothing is waited for", lambda: somebody.text("why") == "nothing is waited for\n")
    log.wait("nothing is planned", lambda: somebody.told("plan") == NOTHING)
    looks(somebody)
    changes_leader(log, somebody)
    assert "snapshot" in somebody.told("snapshot")["detail"]
    bundle_is_clean(somebody, tmp_path / "bundle.tar.gz")
    rules = [rule for rule in listed() if "pods/proxy" not in rule["resources"]]
    refused = person(cluster, namespace, tmp_path, "nobody", rules).run("plan")
    assert refused.code == EXIT_REFUSED and "pods/proxy" in refused.complaint

    acting.signal(signal.SIGTERM)
    acting.wait()
    late = somebody.run("snapshot", "--timeout", "2")
    assert late.code == EXIT_UNKNOWN and "kubectl delete rlogtask" in late.complaint
    log.kubectl("delete", "rlogtask", "--all")
    plan_is_done(cluster, log, somebody, tmp_path)


def looks(somebody: Person) -> None:
    """What is shown of a log that is well."""
    status = somebody.told("status")
    assert status["status"]["ready"] == "3/3"
    assert sorted(seen["status"]["role"] for seen in status["members"]) == [
        "follower",
        "follower",
        "leader",
    ]
    assert "3/3 ready" in somebody.text("status") and "orders-2" in somebody.text("status")
    assert [member["role"] for member in somebody.told("members")["members"]] == ["voter"] * 3
    assert somebody.text("plan").startswith("nothing to do")


def changes_leader(log: ManagedLog, somebody: Person) -> None:
    """To whoever is best, and then to a pod."""
    before = leaders(somebody)
    assert somebody.told("transfer")["done"]
    log.wait("another leads", lambda: leaders(somebody) not in (before, []))
    (now,) = leaders(somebody)
    to = next(f"{LOG}-{at}" for at in range(3) if f"{LOG}-{at}" != now)
    assert somebody.told("transfer", to)["done"]
    log.wait("it leads", lambda: leaders(somebody) == [to])


def leaders(somebody: Person) -> list[str]:
    """The pods whose members say that they lead."""
    return [
        seen["endpoint"]
        for seen in somebody.told("status")["members"]
        if seen["status"] is not None and seen["status"]["role"] == "leader"
    ]


def bundle_is_clean(somebody: Person, target: Path) -> None:
    """It has what members say, and the secret nowhere, though the log's own objects have it."""
    told = somebody.told("diagnostics", "--file", str(target))
    with tarfile.open(fileobj=io.BytesIO(target.read_bytes())) as archive:
        files = {
            entry.name.partition("/")[2]: content.read().decode()
            for entry in archive
            if (content := archive.extractfile(entry)) is not None
        }
    assert set(told["not_read"]) == {"operator"}, told  # here it is no pod
    assert SECRET not in "".join(files.values())
    assert "SOME_KEY" in files["children/pods.json"]
    assert "replog_" in files[f"members/{LOG}-2/metrics.txt"]
    assert json.loads(files["events.json"]) and json.loads(files["versions.json"])["server"]
    assert json.loads(files["operator/lease.json"])["spec"]["holderIdentity"]


def plan_is_done(cluster: Cluster, log: ManagedLog, somebody: Person, directory: Path) -> None:
    """While nobody acts, the plan of an edit is shown and nothing is written; then it is done."""
    log.scale(5)
    before = versions(log)
    planned = somebody.told("plan")["steps"]
    shown = somebody.run("plan")
    assert versions(log) == before
    assert planned and "no operator acts" in shown.complaint, (planned, shown)

    successor = Operator(cluster, log.namespace, "two", directory, module=MODULE)
    with operators(successor):
        whys = {step["why"] for step in planned}
        log.wait("what was planned is done", lambda: whys <= done(successor))


def versions(log: ManagedLog) -> dict[str, str]:
    """Of every object around the log."""
    found = json.loads(log.kubectl("get", ALL, "-o", "json"))["items"]
    return {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in found}


def done(operator: Operator) -> set[str]:
    """Why an operator took its steps."""
    lines = [json.loads(line) for line in operator.said().splitlines() if line.startswith("{")]
    return {line["why"] for line in lines if line["event"] == "step"}
