"""The file that says what is wanted: read when it changes, and edited in one place.

A file that can't be followed changes nothing: its faults are told, and what was read before stays.

Decides: when a file counts as changed, and how `replicas` is edited so that all else stays as it
was written. Must not know: what follows from a resource (planner).
Read next: spec.py, scale.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from replog_operator.local.spec import (
    API_VERSION,
    FILE_BYTES_MAX,
    KIND,
    LocalSpec,
    SpecFaults,
    parse_spec,
)
from replog_operator.local.state import write_durably

RESOURCE_NAME: Final = "log.yaml"
"""Within the data directory, where no other file is named."""

_Seen = tuple[int, int, int]


def read_resource(path: Path) -> LocalSpec:
    """What the file asks for. Raises SpecFaults."""
    return parse_spec(_text(path))


def new_resource(name: str, replicas: int) -> str:
    """A resource for a log that has none."""
    even = "" if replicas % 2 else "  allowEvenReplicas: true\n"
    return (
        f"apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata:\n  name: {name}\n"
        f"spec:\n  replicas: {replicas}\n{even}"
    )


def set_replicas(path: Path, replicas: int) -> None:
    """Ask for so many members in the file, durably; every other character stays.

    Raises SpecFaults, with the file as it was, if it can't be followed or would not be then.
    """
    path = path.resolve()
    text = with_replicas(_text(path), replicas)
    if parse_spec(text).replicas != replicas:
        raise SpecFaults(("spec.replicas: it is there twice",))
    try:
        write_durably(path, text.encode())
    except OSError as problem:
        raise SpecFaults((f"{path} can't be written: {problem}",)) from problem


def with_replicas(text: str, replicas: int) -> str:
    """The same text with this `spec.replicas`. Raises SpecFaults if there is no `spec`."""
    spec = _node(text, ("spec",))
    if not isinstance(spec, yaml.MappingNode):
        raise SpecFaults(("spec: a mapping is needed, for example {replicas: 3}",))
    for key, value in spec.value:
        if key.value == "replicas":
            return text[: value.start_mark.index] + str(replicas) + text[value.end_mark.index :]
    if spec.flow_style or not spec.value:
        at = spec.start_mark.index + 1
        return f"{text[:at]}replicas: {replicas}{', ' if spec.value else ''}{text[at:]}"
    first = spec.value[0][0].start_mark
    return f"{text[: first.index]}replicas: {replicas}\n{' ' * first.column}{text[first.index :]}"


def _node(text: str, path: tuple[str, ...]) -> yaml.Node | None:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise SpecFaults((f"not YAML: {' '.join(str(problem).split())}",)) from problem
    for name in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for key, value in node.value if key.value == name), None)
    return node


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise SpecFaults(("no regular file",))
        if path.stat().st_size > FILE_BYTES_MAX:
            raise SpecFaults((f"longer than {FILE_BYTES_MAX} bytes",))
        return path.read_bytes().decode()  # line ends stay as they are
    except (OSError, UnicodeDecodeError) as problem:
        raise SpecFaults((str(problem),)) from problem


class Followed:
    """A file and what it asked for when it last made sense. replicas: wins over the file's."""

    def __init__(
        self, path: Path, spec: LocalSpec, tell: Callable[[str], None], replicas: int | None = None
    ) -> None:
        """spec: what was read of it just now."""
        self._path = path
        self._tell = tell
        self._replicas = replicas
        self._seen = _stat(path)
        self.spec = self._with_override(spec)

    def look(self) -> LocalSpec:
        """What is wanted now."""
        seen = _stat(self._path)
        if seen is None or seen == self._seen:  # gone for a moment, as when editors save
            return self.spec
        self._seen = seen
        try:
            found = self._with_override(read_resource(self._path))
        except SpecFaults as problem:
            self._tell(f"{self._path} can't be followed, so nothing changes:")
            for fault in problem.faults:
                self._tell(f"  {fault}")
            return self.spec
        if found != self.spec:
            self._tell(f"{self._path} was edited")
            self.spec = found
        return self.spec

    def _with_override(self, spec: LocalSpec) -> LocalSpec:
        return spec if self._replicas is None else spec._replace(replicas=self._replicas)


def _stat(path: Path) -> _Seen | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
