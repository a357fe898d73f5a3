"""A ReplicatedLog resource as YAML: what `replog up` takes of it, and all its faults at once.

Decides: which fields there are. The ones that only a cluster manager can follow are named as
ignored; any other unknown one is a fault, because it is most likely a slip.
Must not know: processes.
Read next: supervisor.py.
"""

import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import yaml

API_VERSION: Final = "replog.dev/v1alpha1"
KIND: Final = "ReplicatedLog"
REPLICAS_MAX: Final = 9
"""More voters make every append slower and protect against nothing likely."""

FILE_BYTES_MAX: Final = 1024 * 1024

NOT_LOCAL: Final = (
    "hibernate", "image", "log", "monitoring", "networkPolicy", "podTemplate", "resources",
    "service", "storage", "suspend", "update",
)  # fmt: skip
SHOWN_CHARS: Final = 80
"""So much of a text is told back."""

_SHORT: Final = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxstring = SHOWN_CHARS
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")


class LocalSpec(NamedTuple):
    """What is wanted. ignored: fields of the file that have no meaning here."""

    name: str = "replog"
    replicas: int = 3
    ignored: tuple[str, ...] = ()


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
    spec = found["spec"]
    return LocalSpec(
        name=found["metadata"]["name"],
        replicas=spec.get("replicas", LocalSpec().replicas),
        ignored=tuple(name for name in spec if name in NOT_LOCAL),
    )


def replicas_fault(replicas: int, *, allow_even: bool) -> str | None:
    """What is wrong with so many members, if anything."""
    if replicas == 0:
        return "0 members: stop `replog up` instead, the data stays"
    if not 1 <= replicas <= REPLICAS_MAX:
        return f"{_shown(replicas)} members: from 1 to {REPLICAS_MAX} are possible"
    if replicas % 2 == 0 and not allow_even:
        return (
            f"{replicas} members tolerate no more failures than {replicas - 1}: choose an odd "
            "number, or set allowEvenReplicas: true"
        )
    return None


def _faults(found: Mapping[Any, Any]) -> Iterator[str]:
    yield from _unknown("", found, ("apiVersion", "kind", "metadata", "spec", "status"))
    if found.get("apiVersion") != API_VERSION:
        yield f"apiVersion: {_shown(found.get('apiVersion'))}, expected {API_VERSION!r}"
    if found.get("kind") != KIND:
        yield f"kind: {_shown(found.get('kind'))}, expected {KIND!r}"
    yield from _metadata_faults(found.get("metadata"))
    yield from _spec_faults(found.get("spec"))


def _metadata_faults(metadata: Any) -> Iterator[str]:
    if not isinstance(metadata, dict):
        yield "metadata: a mapping with `name` is needed"
        return
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        wanted = "lower-case letters, digits and dashes, at most 52"
        yield f"metadata.name: {_shown(name)}, expected {wanted}"


def _spec_faults(spec: Any) -> Iterator[str]:
    if not isinstance(spec, dict):
        yield "spec: a mapping is needed, for example {replicas: 3}"
        return
    yield from _unknown("spec.", spec, ("replicas", "allowEvenReplicas", *NOT_LOCAL))
    allow_even = spec.get("allowEvenReplicas", False)
    if not isinstance(allow_even, bool):
        yield f"spec.allowEvenReplicas: {_shown(allow_even)}, expected true or false"
    replicas = spec.get("replicas", LocalSpec().replicas)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        yield f"spec.replicas: {_shown(replicas)}, expected a number"
        return
    fault = replicas_fault(replicas, allow_even=allow_even is True)
    if fault is not None:
        yield f"spec.replicas: {fault}"


def _unknown(where: str, found: Mapping[Any, Any], known: tuple[str, ...]) -> Iterator[str]:
    for name in found:
        if name not in known:
            shown = name[:SHOWN_CHARS] if isinstance(name, str) else _shown(name)
            yield f"{where}{shown}: unknown; known are {', '.join(known)}"


def _shown(value: Any) -> str:
    """A value of the file, bounded: with aliases a few lines may stand for gigabytes."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "a number of very many digits"
