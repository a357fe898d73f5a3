"""The resource itself: its definitions, what the operator may do, how Prometheus looks at it all.

The YAML files in `resource/` are the only ones that are edited; `make render` copies them into
`manifests/` and `charts/`, and a test sees that they are the same.

Decides: which files there are. Must not know: who reads them.
Read next: resource/replicatedlogs.yaml.
"""

from importlib.resources import files
from typing import Final

DEFINITIONS: Final = ("replicatedlogs.yaml", "replicatedlogtasks.yaml")
"""The custom resource definitions."""
RULES: Final = "rules.yaml"
"""What the operator may do: `objects` of logs' namespaces, `own` of its own, `cluster`-wide."""
ALERTS: Final = "alerts.yaml"
"""For Prometheus; each has a page in docs/runbooks."""
SCRAPING: Final = "scraping.yaml"
"""Whom Prometheus asks: `operator` and `logs`."""
DASHBOARD: Final = "dashboard.json"
"""For Grafana."""


def source(name: str) -> str:
    """The text of one of these files."""
    return files("replog_operator").joinpath("resource", name).read_text(encoding="utf-8")
