"""`make render`: copies of definitions, of the operator's rules, of alerts and dashboard.

Manifests and charts are read by people and by tools that know nothing of this project, so they hold
copies; tests/unit/delivery sees that the copies are what this module would write.

Decides: which copy lies where, and what each adds. Must not know: what the definitions say.
Read next: operator/replog_operator/definitions.py.
"""

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from replog_operator.definitions import ALERTS, DASHBOARD, DEFINITIONS, RULES, SCRAPING, source
from tests.support.definitions import part

ROOT = Path(__file__).parents[2]
MADE = "# Made by `make render` from operator/replog_operator/resource/{}: edit it there.\n"
KEEP = "  annotations:\n    helm.sh/resource-policy: keep\n"
OPERATOR = "replog-operator"
JSON_SCHEMA = (
    "type", "description", "required", "enum", "pattern", "minLength", "maxLength", "minimum",
    "minItems", "maxItems", "maxProperties",
)  # fmt: skip
"""Words that mean the same in both kinds of schema; numbers' formats are API servers' own."""
OWN_LABELS = r"^(app\.kubernetes\.io|helm\.sh)/"
RBAC = "rbac.authorization.k8s.io"
MONITORING = "monitoring.coreos.com/v1"


def rendered() -> dict[str, str]:
    """Every copy: path from the root → text."""
    return dict(_copies())


def _copies() -> Iterator[tuple[str, str]]:
    for name in DEFINITIONS:
        text = MADE.format(name) + source(name)
        yield f"manifests/crds/{name}", text
        yield f"charts/replicated-log-crds/templates/{name}", kept(text)
    yield f"charts/replicated-log-operator/files/{RULES}", MADE.format(RULES) + source(RULES)
    yield "charts/replicated-log/values.schema.json", _values_schema()
    rules = yaml.safe_load(source(RULES))
    whole = _role("Cluster", OPERATOR, rules["objects"] + rules["cluster"])
    yield "manifests/rbac/cluster/objects.yaml", whole
    yield "manifests/rbac/namespaced/objects.yaml", _role("", OPERATOR, rules["objects"])
    yield "manifests/operator/own.yaml", _role("", f"{OPERATOR}-own", rules["own"])
    yield from _monitoring()


def _monitoring() -> Iterator[tuple[str, str]]:
    """What Prometheus and Grafana take; the chart puts its files into objects itself."""
    alerts, dashboard, made = source(ALERTS), source(DASHBOARD), MADE.format(ALERTS)
    yield f"charts/replicated-log-operator/files/{ALERTS}", made + alerts
    yield (
        f"charts/replicated-log-operator/files/{SCRAPING}",
        MADE.format(SCRAPING) + source(SCRAPING),
    )
    yield f"charts/replicated-log-operator/files/{DASHBOARD}", dashboard
    rule = _head(MONITORING, "PrometheusRule", OPERATOR) + "spec:\n"
    yield f"manifests/monitoring/{ALERTS}", made + rule + textwrap.indent(alerts, "  ")
    yield f"manifests/monitoring/{SCRAPING}", MADE.format(SCRAPING) + _service_monitors()
    head = _head("v1", "ConfigMap", f"{OPERATOR}-dashboard")
    data = '  labels:\n    grafana_dashboard: "1"\ndata:\n  replicated-log.json: |\n'
    indented = textwrap.indent(dashboard, "    ")
    yield "manifests/monitoring/dashboard.yaml", MADE.format(DASHBOARD) + head + data + indented


def _head(version: str, kind: str, name: str) -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n"


def _service_monitors() -> str:
    """Of the operator that manifests/operator installs, and of the logs of all namespaces."""
    found = yaml.safe_load(source(SCRAPING))
    operator = {"selector": {"matchLabels": {"app.kubernetes.io/name": OPERATOR}}}
    specs = {
        OPERATOR: operator | found["operator"],
        f"{OPERATOR}-logs": {"namespaceSelector": {"any": True}} | found["logs"],
    }
    return "---\n".join(
        _head(MONITORING, "ServiceMonitor", name) + yaml.safe_dump({"spec": spec}, sort_keys=False)
        for name, spec in specs.items()
    )


def kept(text: str) -> str:
    """The definition as a chart has it: `helm uninstall` keeps it, and so every log."""
    head, metadata, rest = text.partition("metadata:\n")
    name, spec, rest = rest.partition("spec:\n")
    return head + metadata + name + KEEP + spec + rest


def _values_schema() -> str:
    """What values the chart of a log takes: `spec` is that of the definition, to the last field."""
    texts: Any = {"type": "object", "additionalProperties": {"type": "string"}}
    test = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"image": {"type": "string"}, "resources": {"type": "object"}},
    }
    values = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["spec"],
        "properties": {
            "global": {"type": "object"},
            "name": {"type": "string", "pattern": "^([a-z]([-a-z0-9]{0,50}[a-z0-9])?)?$"},
            "labels": {**texts, "propertyNames": {"not": {"pattern": OWN_LABELS}}},
            "annotations": texts,
            "spec": plain(part("ReplicatedLog", "spec")),
            "test": test,
        },
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def plain(found: Any) -> Any:
    """A schema of a definition as one of JSON alone, which knows no rules of CEL.

    A field that the definition lacks is refused, where an API server would drop it.
    """
    if "x-kubernetes-int-or-string" in found:
        return {"type": ["integer", "string"]}
    kept = {name: found[name] for name in JSON_SCHEMA if name in found}
    if "properties" in found:
        inner = {name: plain(each) for name, each in found["properties"].items()}
        kept |= {"additionalProperties": False, "properties": inner}
    for name in ("items", "additionalProperties"):
        if name in found:
            kept[name] = plain(found[name])
    return kept


def _role(prefix: str, name: str, rules: list[Any]) -> str:
    """A role and who has it."""
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{prefix}Role",
        "metadata": {"name": name},
        "rules": rules,
    }
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{prefix}RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": f"{prefix}Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": "replog-system"}],
    }
    return MADE.format(RULES) + yaml.safe_dump_all([role, binding], sort_keys=False)


def main() -> None:
    """Write all copies, and say which changed."""
    for path, text in rendered().items():
        there = ROOT / path
        if not there.exists() or there.read_text() != text:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(text)
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
