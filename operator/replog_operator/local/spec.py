"""A ReplicatedLog resource as YAML: what `replog up` takes of it, and all its faults at once.

The limits are those of the resource's own rules (resource/, tests/unit/local compares them).

Decides: which fields there are. The ones that only a cluster manager can follow are named as
ignored; any other unknown one is a fault, because it is most likely a slip.
Must not know: processes.
Read next: followed.py.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import yaml

from replog_operator.local.faults import shown, unknown
from replog_operator.local.wishes import (
    DEFAULT_TIMEOUT,
    log_faults,
    settings_of,
    update_faults,
)
from replog_operator.quantities import ms_of

API_VERSION: Final = "replog.dev/v1alpha1"
KIND: Final = "ReplicatedLog"
REPLICAS_MAX: Final = 9
"""More voters make every append slower and protect against nothing likely."""

FILE_BYTES_MAX: Final = 1024 * 1024

FOLLOWED: Final = ("replicas", "allowEvenReplicas", "log", "update", "suspend", "hibernate")
NOT_LOCAL: Final = (
    "image", "monitoring", "networkPolicy", "podTemplate", "resources", "service", "storage",
)  # fmt: skip
NODE_COMMAND_NOTE: Final = "replog.dev/node-command"
"""An annotation: the program of the members, as one would type it; another one is rolled out."""
COMMAND_CHARS_MAX: Final = 1024
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")


class LocalSpec(NamedTuple):
    """What is wanted. ignored: fields of the file that have no meaning here.

    settings: of every node, by name. node_command: "" for the one of this installation.
    """

    name: str = "replog"
    replicas: int = 3
    ignored: tuple[str, ...] = ()
    settings: Mapping[str, int] = {}
    leader_last: bool = True
    update_timeout_s: float = 600.0
    suspend: bool = False
    hibernate: bool = False
    node_command: str = ""
    allow_even: bool = False


class SpecFaults(Exception):
    """The file can't be followed. faults: all of them, one sentence each."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def parse_spec(text: str) -> LocalSpec:
    """Return what the YAML asks for; raises SpecFaults."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # a date can't be; too deep
        raise SpecFaults((f"not YAML: {' '.join(str(problem).split())}",)) from problem
    if not isinstance(found, dict):
        raise SpecFaults((f"no resource: expected a mapping with kind {KIND}",))
    faults = tuple(_faults(found))
    if faults:
        raise SpecFaults(faults)
    spec, metadata = found["spec"], found["metadata"]
    update = spec.get("update") or {}
    timeout = str(update.get("timeout", DEFAULT_TIMEOUT))
    return LocalSpec(
        name=metadata["name"],
        replicas=spec.get("replicas", LocalSpec().replicas),
        ignored=tuple(name for name in spec if name in NOT_LOCAL),
        settings=settings_of(spec.get("log") or {}),
        leader_last=update.get("strategy") != "OnDelete",
        update_timeout_s=ms_of(timeout) / 1000,
        suspend=spec.get("suspend", False),
        hibernate=spec.get("hibernate", False),
        allow_even=spec.get("allowEvenReplicas", False),
        node_command=(metadata.get("annotations") or {}).get(NODE_COMMAND_NOTE, ""),
    )


def replicas_fault(replicas: int, *, allow_even: bool) -> str | None:
    """What is wrong with so many members, if anything."""
    if replicas == 0:
        return "0 members: stop `replog up` instead, or set hibernate: true; the data stays"
    if not 1 <= replicas <= REPLICAS_MAX:
        return f"{shown(replicas)} members: from 1 to {REPLICAS_MAX} are possible"
    if replicas % 2 == 0 and not allow_even:
        return (
            f"{replicas} members tolerate no more failures than {replicas - 1}: choose an odd "
            "number, or set allowEvenReplicas: true"
        )
    return None


def _faults(found: Mapping[Any, Any]) -> Iterator[str]:
    yield from unknown("", found, ("apiVersion", "kind", "metadata", "spec", "status"))
    if found.get("apiVersion") != API_VERSION:
        yield f"apiVersion: {shown(found.get('apiVersion'))}, expected {API_VERSION!r}"
    if found.get("kind") != KIND:
        yield f"kind: {shown(found.get('kind'))}, expected {KIND!r}"
    yield from _metadata_faults(found.get("metadata"))
    yield from _spec_faults(found.get("spec"))


def _metadata_faults(metadata: Any) -> Iterator[str]:
    if not isinstance(metadata, dict):
        yield "metadata: a mapping with `name` is needed"
        return
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        wanted = "lower-case letters, digits and dashes, at most 52"
        yield f"metadata.name: {shown(name)}, expected {wanted}"
    annotations = metadata.get("annotations") or {}
    if not isinstance(annotations, dict):
        yield "metadata.annotations: a mapping is needed"
    elif NODE_COMMAND_NOTE in annotations:
        yield from _command_faults(annotations[NODE_COMMAND_NOTE])


def _command_faults(command: Any) -> Iterator[str]:
    words: list[str] = []
    if isinstance(command, str) and len(command) <= COMMAND_CHARS_MAX and command.isprintable():
        with suppress(ValueError):
            words = shlex.split(command)
    if not words:
        yield f"metadata.annotations.{NODE_COMMAND_NOTE}: {shown(command)}, expected a command"


def _spec_faults(spec: Any) -> Iterator[str]:
    if not isinstance(spec, dict):
        yield "spec: a mapping is needed, for example {replicas: 3}"
        return
    yield from unknown("spec.", spec, (*FOLLOWED, *NOT_LOCAL))
    for name in ("allowEvenReplicas", "suspend", "hibernate"):
        if not isinstance(spec.get(name, False), bool):
            yield f"spec.{name}: {shown(spec[name])}, expected true or false"
    yield from log_faults(spec.get("log") or {})
    yield from update_faults(spec.get("update") or {})
    allow_even = spec.get("allowEvenReplicas", False)
    replicas = spec.get("replicas", LocalSpec().replicas)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        yield f"spec.replicas: {shown(replicas)}, expected a number"
        return
    fault = replicas_fault(replicas, allow_even=allow_even is True)
    if fault is not None:
        yield f"spec.replicas: {fault}"
