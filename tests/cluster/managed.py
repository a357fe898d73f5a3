"""The log `orders` under the operator: the resource, its status, what clients read of it.

Decides: how it is made and waited for. Must not know: what a test shows.
Read next: test_operator.py.
"""

import json
from typing import Any

import yaml

from tests.cluster.images import OURS
from tests.cluster.node import Cluster
from tests.cluster.versions import ROOT
from tests.support.processes import eventually

LOG = "orders"
SAMPLES = ROOT / "manifests" / "samples"
STORAGE = {"size": "1Gi", "className": "directory"}
LOOK_S = 100.0
"""For anything to become true: a few elections, pods and volumes, on a busy machine."""


class ManagedLog:
    """Of one namespace."""

    def __init__(self, cluster: Cluster, namespace: str, told: Any) -> None:
        """told: what else is known when something does not come true."""
        self._cluster = cluster
        self._told = told
        self.namespace = namespace

    def apply(self, sample: str = "three", **spec: Any) -> None:
        """`kubectl apply` a sample, on the storage that this cluster has, with other fields.

        None leaves a field out.
        """
        found = yaml.safe_load((SAMPLES / f"{sample}.yaml").read_text())
        found["metadata"]["name"] = LOG
        fields = {**found["spec"], "image": OURS, "storage": STORAGE, **spec}
        found["spec"] = {name: value for name, value in fields.items() if value is not None}
        self.kubectl("apply", "-f", "-", said=json.dumps(found))

    def scale(self, replicas: int) -> None:
        """`kubectl scale`."""
        self.kubectl("scale", "rlog", LOG, f"--replicas={replicas}")

    def merge(self, **spec: Any) -> None:
        """`kubectl patch` these fields of the spec."""
        self.kubectl("patch", "rlog", LOG, "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    def ask(self, name: str, **spec: Any) -> None:
        """Make a task; about this log unless another is named."""
        found = {
            "apiVersion": "replog.dev/v1alpha1", "kind": "ReplicatedLogTask",
            "metadata": {"name": name}, "spec": {"log": LOG, **spec},
        }  # fmt: skip
        self.kubectl("apply", "-f", "-", said=json.dumps(found))

    def objects(self, kind: str, selector: str) -> Any:
        """All objects of a kind with these labels."""
        return json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]

    def kubectl(self, *arguments: str, said: str = "") -> str:
        """Run kubectl in this namespace."""
        return self._cluster.kubectl("-n", self.namespace, *arguments, said=said)

    def resource(self) -> Any:
        """The ReplicatedLog as it is now."""
        return json.loads(self.kubectl("get", "rlog", LOG, "-o", "json"))

    def condition(self, kind: str, field: str = "status") -> str:
        """A condition of the log; empty if it has none of that kind yet."""
        found = self.resource().get("status", {}).get("conditions", ())
        return str(next((item[field] for item in found if item["type"] == kind), ""))

    def pods(self) -> dict[str, Any]:
        """The members' pods by their names."""
        found = self.objects("pods", f"app.kubernetes.io/instance={LOG}")
        return {item["metadata"]["name"]: item for item in found}

    def wait_until_ready(self, replicas: int) -> None:
        """Wait until so many members serve, and the status is about the newest spec."""

        def is_ready() -> bool:
            found = self.resource()
            status = found.get("status", {})
            conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
            newest = status.get("observedGeneration") == found["metadata"]["generation"]
            voters = status.get("voters") == replicas == status.get("replicas")
            return newest and voters and conditions.get("Ready") == "True"

        self.wait(f"{replicas} members are ready", is_ready)

    def wait(self, what: str, look: Any) -> None:
        """Wait; what the operator did is told if it does not come true."""
        try:
            eventually(what, look, LOOK_S)
        except AssertionError as problem:
            status = self._cluster.kubectl.run(
                "-n", self.namespace, "get", "rlog", LOG, "-o", "yaml"
            )
            raise AssertionError(f"{problem}\n{status.output}\n{self._told()}") from problem

    def append(self, client: str, said: str) -> None:
        """`replog append` these lines, in a pod of this namespace."""
        at = f"{LOG}.{self.namespace}.svc:7401"
        inside = ("exec", "-i", client, "--", "replog", "append", "--endpoint", at)
        self.kubectl(*inside, said=said)

    def read(self, client: str) -> list[str]:
        """Every record, as `replog read` writes them in a pod of this namespace."""
        at = f"{LOG}.{self.namespace}.svc:7401"
        inside = ("exec", client, "--", "replog", "read", "--endpoint", at)
        return self.kubectl(*inside).splitlines()
