"""The custom resource definitions as tests look at them: their schemas, fields and rules.

Decides: how a schema is walked. Must not know: what the fields mean.
Read next: operator/replog_operator/definitions.py.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from replog_operator.definitions import DEFINITIONS, source

FREE = "x-kubernetes-preserve-unknown-fields"


class Rule(NamedTuple):
    """A rule of CEL. kind: of the resource; at: where it sits."""

    kind: str
    at: str
    rule: str
    message: str


def definitions() -> list[Any]:
    """All of them, as objects."""
    return [yaml.safe_load(source(name)) for name in DEFINITIONS]


def schema(kind: str) -> Any:
    """The schema of the only version of a kind."""
    (found,) = [each for each in definitions() if each["spec"]["names"]["kind"] == kind]
    (version,) = found["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


def part(kind: str, name: str) -> Any:
    """The schema of `spec` or `status`."""
    return schema(kind)["properties"][name]


def fields(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each property below, by its path (`storage.size`, `members[].id`), and its schema."""
    if found.get("type") == "array":
        yield from fields(found["items"], f"{path}[]")
    for name, inner in found.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, inner
        yield from fields(inner, here)


def rules() -> list[Rule]:
    """Every rule of CEL, of all kinds."""
    found = []
    for definition in definitions():
        kind = definition["spec"]["names"]["kind"]
        for at, inner in (("", schema(kind)), *fields(schema(kind))):
            for each in inner.get("x-kubernetes-validations", ()):
                found.append(Rule(kind, at, each["rule"], each["message"]))
    return found


def unknown(found: Any, value: Any, path: str = "") -> list[str]:
    """Paths within a value that the schema doesn't have: an API server would drop them unsaid."""
    if found.get(FREE) or "additionalProperties" in found:
        return []
    if isinstance(value, list):
        return [each for item in value for each in unknown(found["items"], item, f"{path}[]")]
    if not isinstance(value, dict):
        return []
    known = found.get("properties", {})
    strange = [f"{path}.{name}" for name in value if name not in known]
    below = (unknown(known[name], value[name], f"{path}.{name}") for name in value if name in known)
    return strange + [each for inner in below for each in inner]
