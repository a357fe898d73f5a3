"""A real Prometheus in the cluster's network, which chooses whom it asks by our ServiceMonitors.

Their definitions are Prometheus Operator's own, from the Go module that monitoring/go.mod pins; the
operator itself does not run. Debian's Prometheus is built without discovery in Kubernetes, so it is
given every address of every Service with the labels that discovery would give them, and takes its
pick by the rules that the operator would write.

Decides: what it would make of a ServiceMonitor, as far as ours go; how Prometheus is started and
asked. Must not know: what is asked.
Read next: test_sight.py, operator/replog_operator/resource/scraping.yaml.
"""

import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.cluster import paths
from tests.cluster.node import Cluster
from tests.support.processes import ask, eventually, free_ports

EVERY = "1s"
START_S = 60.0
END_S = 30.0
META = "__meta_kubernetes"
SNAKE = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
TARGETS = {
    "namespace": "namespace",
    "service": "service_name",
    "job": "service_name",
    "pod": "pod_name",
}
"""Labels that Prometheus Operator gives to whatever it finds by a Service."""


MODULE = "github.com/prometheus-operator/prometheus-operator"
PINNED = Path(__file__).parent / "monitoring"
KINDS = ("servicemonitors", "prometheusrules")
FETCH_S = 120


def missing() -> str:
    """Why it can't be started here, for people; empty if it can."""
    lacking = [name for name in ("prometheus", "go") if shutil.which(name) is None]
    return f"missing: {', '.join(lacking)} (Debian's package prometheus, Go)" if lacking else ""


def definitions() -> list[Path]:
    """The files with the definitions of the kinds that we make. Raises OSError."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", MODULE], cwd=PINNED, capture_output=True, text=True,
        timeout=FETCH_S, env={**os.environ, "GOFLAGS": "-mod=readonly"},
    )  # fmt: skip
    if done.returncode:
        raise OSError(f"go mod download {MODULE}: {done.stderr or done.stdout}")
    folder = Path(json.loads(done.stdout)["Dir"]) / "example" / "prometheus-operator-crd"
    return [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in KINDS]


def discovered(cluster: Cluster, namespace: str) -> Iterator[Any]:
    """Every port of every Service of a namespace, as discovery (role endpoints) would tell it."""
    labels = {
        each["metadata"]["name"]: each["metadata"].get("labels", {})
        for each in cluster.api.items(paths.of(paths.CORE, namespace, "services"))
    }
    for found in cluster.api.items(paths.of(paths.CORE, namespace, "endpoints")):
        name = found["metadata"]["name"]
        known = {
            f"{META}_namespace": namespace,
            f"{META}_service_name": name,
            **{f"{META}_service_label_{_plain(k)}": v for k, v in labels.get(name, {}).items()},
        }
        for subset in found.get("subsets", ()):
            for address, port in product(subset.get("addresses", ()), subset["ports"]):
                own = {
                    f"{META}_pod_name": address["targetRef"]["name"],
                    f"{META}_endpoint_port_name": port["name"],
                }
                yield {"targets": [f"{address['ip']}:{port['port']}"], "labels": known | own}


def scraped(monitor: Any, targets: list[Any]) -> Iterator[Any]:
    """The scrape configurations of a ServiceMonitor of the namespace in which these are."""
    spec, metadata = monitor["spec"], monitor["metadata"]
    for number, endpoint in enumerate(spec["endpoints"]):
        yield {
            "job_name": f"{metadata['namespace']}/{metadata['name']}/{number}",
            "static_configs": targets,
            "metrics_path": endpoint["path"],
            "honor_labels": endpoint.get("honorLabels", False),
            "relabel_configs": [*_chosen(spec["selector"], endpoint), *_named(), *_own(endpoint)],
        }


def _chosen(selector: Any, endpoint: Any) -> Iterator[Any]:
    labels = {f"service_label_{_plain(k)}": v for k, v in selector["matchLabels"].items()}
    for name, value in (labels | {"endpoint_port_name": endpoint["port"]}).items():
        yield {"source_labels": [f"{META}_{name}"], "regex": value, "action": "keep"}


def _plain(label: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in label)


def _named() -> Iterator[Any]:
    for target, source in TARGETS.items():
        yield {"source_labels": [f"{META}_{source}"], "target_label": target}


def _own(endpoint: Any) -> Iterator[Any]:
    for rule in endpoint.get("relabelings", ()):
        yield {SNAKE.get(name, name): value for name, value in rule.items()}


class Prometheus:
    """Asked over HTTP. began_s: when it was started, in seconds since 1970."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.began_s = time.time()

    def _ask(self, path: str, **query: Any) -> Any:
        """Raises Refused with what is wrong with a query, OSError."""
        return ask("GET", self._address, f"/api/v1/{path}?{urlencode(query)}")["data"]

    def now(self, query: str) -> list[Any]:
        """What a query answers now, each with `metric` and `value`."""
        return list(self._ask("query", query=query)["result"])

    def ever(self, query: str) -> list[float]:
        """All numbers that a query has answered since the start, second by second."""
        found = self._ask(
            "query_range", query=query, start=self.began_s, end=time.time(), step=EVERY
        )
        values = [float(value) for series in found["result"] for _, value in series["values"]]
        return [value for value in values if not math.isnan(value)]

    def targets(self) -> list[Any]:
        """Those that are asked, each with `labels` and `health`."""
        return list(self._ask("targets")["activeTargets"])

    def rules(self) -> dict[str, Any]:
        """The alerts as it sees them now, by name."""
        groups = self._ask("rules")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}


@contextmanager
def prometheus(
    targets: list[Any], directory: Path, monitors: list[Any], rules: Any
) -> Iterator[Prometheus]:
    """Start one that asks whom these monitors choose of the targets; it ends with the block."""
    (directory / "rules.yaml").write_text(yaml.safe_dump(rules))
    settings = {
        "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(directory / "rules.yaml")],
        "scrape_configs": [one for each in monitors for one in scraped(each, targets)],
    }
    (directory / "prometheus.yml").write_text(json.dumps(settings))
    (port,) = free_ports(1)
    program = shutil.which("prometheus")
    assert program is not None
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program, f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=directory,
        )  # fmt: skip
    try:
        made = Prometheus(f"127.0.0.1:{port}")
        eventually("Prometheus answers", lambda: made.now("vector(1)"), START_S)
        yield made
    except AssertionError as problem:
        said = (directory / "prometheus.log").read_text()[-4000:]
        raise AssertionError(f"{problem}\n{said}") from problem
    finally:
        process.terminate()
        process.wait(END_S)
