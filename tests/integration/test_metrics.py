"""Every metric that is documented is fed: it moves in real nodes that do what it counts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from tests.support.processes import Cluster, Node, Refused, ask, call, cluster, eventually

NAMES = tuple(name for name, *_ in NodeMetrics().rows())
OCTETS = {"Content-Type": "application/octet-stream"}

Samples = dict[str, str]


def samples(node: Node) -> Samples:
    """What the node's /metrics shows: the value of each sample."""
    status, text, _ = call("GET", node.client, "/metrics", timeout_s=3)
    assert status == 200
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


def sample(node: Node, name: str) -> str:
    """A sample as a whole number."""
    return str(int(float(samples(node)[name])))


DEFAULTS = {field.name: field.default for field in fields(Settings)}
SETTINGS = {"replog_disk_soft_limit_bytes": DEFAULTS["disk_soft_limit_bytes"]}
"""Metrics that repeat a setting, and its default; they never move."""


class Watch:
    """Which metrics have moved on any node since it was first looked at."""

    def __init__(self, nodes: Cluster) -> None:
        self._nodes = [(node, samples(node)) for node in nodes.nodes]
        self.still = set(NAMES) - SETTINGS.keys()

    def look(self) -> bool:
        """Look once more; whether everything has moved."""
        for node, before in self._nodes:
            if node.alive:
                after = samples(node)
                changed = {name for name, value in after.items() if before.get(name) != value}
                self.still -= {name for name in self.still if _any_of(name, changed)}
        return not self.still


def _any_of(metric: str, changed: set[str]) -> bool:
    """Whether a sample of the metric is among those that changed; of a histogram, what it holds."""
    bare = {sample.partition("{")[0] for sample in changed}
    return bool({metric, f"{metric}_count"} & bare)


def _work(nodes: Cluster) -> None:
    """Append at every member, one batch twice, and be refused once."""
    for node in nodes.nodes:
        ask("POST", node.client, "/v1/records", b"value", headers=OCTETS)
    session = ask("POST", nodes.nodes[0].client, "/v1/producers")
    producer = {
        "Producer-Id": str(session["producer_id"]),
        "Producer-Epoch": str(session["epoch"]),
        "Producer-Sequence": "0",
        "Replog-Timestamp-Ms": "1",
    }
    for _ in range(2):
        leader = nodes.leader().client
        ask("POST", leader, "/v1/records", b"once", headers={**OCTETS, **producer})


def _append_in_vain(node: Node) -> str:
    """Append where nobody can commit; the refusal's code."""
    headers = {**OCTETS, "Replog-Timeout-Ms": "2000"}
    try:
        ask("POST", node.client, "/v1/records", b"late", headers=headers)
    except Refused as refused:
        return refused.code
    return ""


def test_each_documented_metric_moves_when_its_thing_happens(tmp_path: Path) -> None:
    with cluster(tmp_path) as three:
        three.start()
        for node in three.nodes:
            node.member()
        watch = Watch(three)
        three.found()
        _work(three)
        leader = three.leader()
        end = ask("POST", leader.peer, "/v1/log:snapshot")["offset"]
        ask("POST", leader.peer, "/v1/log:trim", {"before": 1})
        eventually("it is built", lambda: sample(leader, "replog_snapshot_offset") == str(end))
        watch.look()
        for node in three.nodes:
            if node is not leader:
                node.kill()
        with ThreadPoolExecutor(1) as beside:
            code = beside.submit(_append_in_vain, leader)
            eventually("the append waits", lambda: watch.look() or code.done())
            assert code.result()
        watch.look()
        assert watch.still == set()
        assert {name: int(sample(leader, name)) for name in SETTINGS} == SETTINGS
