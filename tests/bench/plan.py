"""What is measured in this run, and how large it is.

Decides: names of systems and workloads. Must not know: how. Read next: __main__.py.
"""

from typing import NamedTuple

CALLERS = 1000
CONNECTIONS = 100
SIZE = 256
SYSTEMS = ("etcd", "replog", "nats", "kafka")
WORKLOADS = ("put", "http", "one", "get", "batches", "scan")


class Plan(NamedTuple):
    """Names as given on the command line; no system or no workload named: all of them."""

    names: frozenset[str]
    seconds: float

    def wants(self, name: str) -> bool:
        """Whether this system or workload is asked for."""
        family = SYSTEMS if name in SYSTEMS else WORKLOADS
        asked = self.names.intersection(family)
        return not asked or name in asked
