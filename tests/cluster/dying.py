"""One operator after another over the same log, each of which may die hard at a failpoint.

Decides: how the next one comes to act at once. Must not know: what the log goes through.
Read next: operators.py, replog_operator/failpoints.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replog_operator.failpoints import EXIT_FAILPOINT, VARIABLE
from tests.cluster import paths
from tests.cluster.managed import ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator
from tests.support.processes import eventually

OPERATOR = "replog_operator"
DIES_S = 100.0


class Place:
    """The log in a namespace, and one operator after another."""

    def __init__(self, cluster: Cluster, namespace: str, directory: Path) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._directory = directory
        self._operators: list[Operator] = []
        self.log = ManagedLog(cluster, namespace, self._said)
        self.members = Members(cluster, namespace)

    @contextmanager
    def operator(self, failpoint: str = "") -> Iterator[Operator]:
        """The next operator, which dies at the failpoint; it need not wait for the lease.

        It is gone after the block.
        """
        leases = "/apis/coordination.k8s.io/v1"
        lease = paths.of(leases, self._namespace, "leases", "replog-operator")
        if self._operators:
            self._cluster.api.merge(lease, {"spec": {"holderIdentity": ""}})
        operator = Operator(
            self._cluster, self._namespace, f"operator-{len(self._operators)}", self._directory,
            module=OPERATOR, environment={VARIABLE: failpoint},
        )  # fmt: skip
        self._operators.append(operator)
        operator.start()
        try:
            yield operator
        finally:
            operator.kill()

    def dies(self, failpoint: str) -> None:
        """The next operator goes on with the work until it dies there."""
        with self.operator(failpoint) as operator:
            eventually(f"it dies {failpoint}", operator.ended, DIES_S)
            assert operator.wait() == EXIT_FAILPOINT, operator.said()

    def _said(self) -> str:
        return self._operators[-1].said() if self._operators else ""
