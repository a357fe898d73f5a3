"""`make render`: copies of the resource's definitions and of the operator's rules, where they lie.

Manifests and charts are read by people and by tools that know nothing of this project, so they hold
copies; tests/unit/delivery sees that the copies are what this module would write.

Decides: which copy lies where, and what each adds. Must not know: what the definitions say.
Read next: operator/replog_operator/definitions.py.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from replog_operator.definitions import DEFINITIONS, RULES, source

ROOT = Path(__file__).parents[2]
MADE = "# Made by `make render` from operator/replog_operator/resource/{}: edit it there.\n"
KEEP = "  annotations:\n    helm.sh/resource-policy: keep\n"
OPERATOR = "replog-operator"
RBAC = "rbac.authorization.k8s.io"


def rendered() -> dict[str, str]:
    """Every copy: path from the root → text."""
    return dict(_copies())


def _copies() -> Iterator[tuple[str, str]]:
    for name in DEFINITIONS:
        text = MADE.format(name) + source(name)
        yield f"manifests/crds/{name}", text
        yield f"charts/replicated-log-crds/templates/{name}", kept(text)
    yield f"charts/replicated-log-operator/files/{RULES}", MADE.format(RULES) + source(RULES)
    rules = yaml.safe_load(source(RULES))
    for scope, prefix in (("cluster", "Cluster"), ("namespaced", "")):
        yield f"manifests/rbac/{scope}/objects.yaml", _role(prefix, OPERATOR, rules["objects"])
    yield "manifests/operator/own.yaml", _role("", f"{OPERATOR}-own", rules["own"])


def kept(text: str) -> str:
    """The definition as a chart has it: `helm uninstall` keeps it, and so every log."""
    head, metadata, rest = text.partition("metadata:\n")
    name, spec, rest = rest.partition("spec:\n")
    return head + metadata + name + KEEP + spec + rest


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
