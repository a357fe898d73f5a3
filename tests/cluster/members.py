"""The members of a log in pods, that nobody manages: made, founded and asked by their own calls.

The operator does no more than this, at the right moments.

Decides: how pods, Services and calls belong together. Must not know: what a test shows.
Read next: test_three_members.py.
"""

import uuid
from typing import Any

from replog_operator.kube.children.all import children
from replog_operator.kube.children.names import CLIENT_PORT, PEER_PORT, peer_address
from replog_operator.kube.children.wanted import Wanted
from replog_operator.kube.kinds import kind_of
from tests.cluster import paths
from tests.cluster.images import OURS
from tests.cluster.node import Cluster
from tests.support.processes import Refused, ask, call, eventually

LOG = "orders"
CHANGE_S = 60
"""How long an election and a change of members may take together, on a busy machine."""

OCTETS = {"Content-Type": "application/octet-stream"}


def wanted(namespace: str) -> Wanted:
    return Wanted(
        name=LOG, namespace=namespace, uid="", replicas=3, image=OURS, claim_size="1Gi",
        template_size="1Gi", storage_class="directory", tolerates=1,
    )  # fmt: skip


class Members:
    """The pods of a log, asked at their own addresses; clients ask its Service."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace

    def make(self) -> None:
        """Make every child, owned by nobody."""
        for child in children(wanted(self.namespace)):
            del child["metadata"]["ownerReferences"]
            kind = kind_of(child)
            group = f"/apis/{kind.api_version}" if "/" in kind.api_version else paths.CORE
            self._cluster.api.create(paths.of(group, self.namespace, kind.plural), child)

    def call(self, ordinal: int, method: str, path: str, body: Any = None) -> Any:
        """Ask the peer listener of a member. Raises OSError, Refused."""
        return ask(method, f"{self._address(ordinal)}:{PEER_PORT}", path, body)

    def status(self, ordinal: int) -> Any:
        """What a member says of itself and the cluster. Raises OSError, Refused."""
        return self.call(ordinal, "GET", "/v1/cluster")

    def leader(self) -> int:
        """The ordinal of the one that leads, once one does."""

        def look() -> list[int]:
            found = self._cluster.api.items(paths.pods(self.namespace))
            names = [pod["metadata"]["name"] for pod in found]
            ours = [name for name in names if name.startswith(f"{LOG}-")]
            ordinals = [int(name.removeprefix(f"{LOG}-")) for name in ours]
            return [ordinal for ordinal in ordinals if self._leads(ordinal)]

        return eventually("one leads", look, CHANGE_S)[0]

    def lead(self, ordinal: int) -> None:
        """Have the leader hand over to this one."""
        body = {"to": self.status(ordinal)["member"]}
        self.call(self.leader(), "POST", "/v1/cluster:transfer", body)
        eventually(f"{LOG}-{ordinal} leads", lambda: self.leader() == ordinal, CHANGE_S)

    def _leads(self, ordinal: int) -> bool:
        """False also for one that says nothing."""
        try:
            return bool(self.status(ordinal)["role"] == "leader")
        except (OSError, Refused):
            return False

    def _address(self, ordinal: int) -> str:
        pod = self._cluster.api.get(paths.pods(self.namespace, f"{LOG}-{ordinal}"))
        if "podIP" not in pod["status"]:
            raise OSError(f"{LOG}-{ordinal} has no address yet")
        return str(pod["status"]["podIP"])

    def wait_until_they_answer(self) -> None:
        """Wait for each; none is ready before the cluster is founded."""

        def everybody() -> bool:
            return all(self.status(ordinal) for ordinal in range(3))

        eventually("every member answers", everybody, CHANGE_S)

    def found(self) -> None:
        """Found the cluster at the first, and have it take in the others."""
        first = {"cluster_id": str(uuid.uuid4()), "operation": str(uuid.uuid4())}
        self.call(0, "POST", "/v1/cluster:bootstrap", first)
        members = [
            {"id": self.status(o)["member"],
             "address": peer_address(LOG, self.namespace, o)}
            for o in range(3)
        ]  # fmt: skip

        def set_target() -> bool:
            planned = self.status(0)["configuration_offset"]
            target = {"members": members, "operation": "all", "planned_from": planned}
            self.call(0, "POST", "/v1/cluster:target", target)
            return True

        eventually("the target is committed", set_target, CHANGE_S)
        eventually(
            "all three are members",
            lambda: self.status(0)["target"]["reached"],
            CHANGE_S,
        )

    @property
    def service(self) -> str:
        """Where clients find the log: one address for all members."""
        found = self._cluster.api.get(paths.of(paths.CORE, self.namespace, "services", LOG))
        return f"{found['spec']['clusterIP']}:{CLIENT_PORT}"

    def is_served(self) -> bool:
        """Whether the Service leads to a member that serves."""
        return call("GET", self.service, "/readyz")[0] == 200

    def append(self, value: bytes) -> Any:
        """Append a record through the Service. Raises OSError, Refused."""
        return ask("POST", self.service, "/v1/records", value, headers=OCTETS)

    def values(self) -> list[str]:
        """Every record of the log, through the Service. Raises OSError, Refused."""
        page = ask("GET", self.service, "/v1/records?from=0&limit=1000")
        return [str(record["value"]) for record in page["records"]]
