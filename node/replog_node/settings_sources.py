"""Where settings come from: arguments, environment, file; read together, faults collected.

Decides: the syntax of each source, precedence, and what an unknown name is.
Must not know: which settings exist (it is given names and types) or what they mean.
Read next: settings.py.
"""

import difflib
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ENV_PREFIX: Final = "REPLOG_"
FILE_BYTES_MAX: Final = 1024 * 1024
"""A larger --config file is a fault: it is not a file of settings."""

_ALIASES: Final = {"seed_peer": "seed_peers"}
_SINGULARS: Final = {plural: singular for singular, plural in _ALIASES.items()}
_YES: Final = ("true", "yes", "1")
_NO: Final = ("false", "no", "0")
_SERVICE_LINK: Final = re.compile(r"_(SERVICE_(HOST|PORT.*)|PORT(_.*)?)$")
_TYPO_RATIO: Final = 0.85


class SettingsFaults(Exception):
    """The settings are wrong; `faults` says all that is, one sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(slots=True)
class Given:
    """The values that were given, by name; where each came from; what was wrong with the rest."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    faulty: set[str] = field(default_factory=set)

    def origin(self, name: str) -> str:
        """How to call the setting in a sentence: by its source, or by its name if not given."""
        return self.origins.get(name, name)

    def take(self, name: str, value: object, origin: str) -> None:
        """Let a value of a stronger source replace what weaker ones gave."""
        self.values[name] = value
        self.origins[name] = origin
        self.faulty.discard(name)

    def refuse(self, name: str, origin: str, why: str) -> None:
        """Note that a source gave a wrong value."""
        self.faults.append(f"{origin}: {why}")
        self.faulty.add(name)


Types = Mapping[str, type]


def gather(argv: Sequence[str], env: Mapping[str, str], types: Types) -> Given:
    """Read all sources, the weakest first, so that the stronger ones win."""
    given = Given()
    flags = _Flags(argv, types)
    config = flags.config or env.get(f"{ENV_PREFIX}CONFIG", "")
    if config:
        _take_file(config, types, given)
    _take_environment(env, types, given)
    flags.take(given)
    return given


def flag_of(name: str) -> str:
    """The flag of a setting; of a list's, the singular, because it is repeated."""
    return "--" + _SINGULARS.get(name, name).replace("_", "-")


class _Flags:
    """The arguments: --name value, --name=value, --yes-or-no, --seed-peer repeated."""

    def __init__(self, argv: Sequence[str], types: Types) -> None:
        self.config = ""
        self._types = types
        self._texts: dict[str, list[str]] = {}
        self._faults: list[str] = []
        waiting = list(argv)
        while waiting:
            self._read(waiting)

    def _read(self, waiting: list[str]) -> None:
        """Take one flag, with its value, off the front."""
        word = waiting.pop(0)
        flag, equals, text = word.partition("=")
        name = flag[2:].replace("-", "_")
        name = _ALIASES.get(name, name)
        if not flag.startswith("--") or (name not in self._types and name != "config"):
            self._faults.append(f"{flag}: unknown{_meant(name, self._types, '--')}")
            if not equals and waiting and not waiting[0].startswith("--"):
                waiting.pop(0)
        elif equals:
            self._keep(name, text)
        elif self._types.get(name) is bool:
            self._keep(name, "true")
        elif waiting and not waiting[0].startswith("--"):
            self._keep(name, waiting.pop(0))
        else:
            self._faults.append(f"{flag}: a value is missing")

    def _keep(self, name: str, text: str) -> None:
        if name == "config":
            self.config = text
        else:
            self._texts.setdefault(name, []).append(text)

    def take(self, given: Given) -> None:
        """Give values and faults to `given`."""
        given.faults.extend(self._faults)
        for name, texts in self._texts.items():
            origin = flag_of(name)
            if self._types[name] is tuple:
                given.take(name, tuple(part for text in texts for part in _split(text)), origin)
            elif len(texts) > 1:
                given.refuse(name, origin, "given more than once")
            else:
                _take_text(given, name, texts[0], self._types[name], origin)


def _take_environment(env: Mapping[str, str], types: Types, given: Given) -> None:
    """Take REPLOG_* of known names; a near miss is a fault.

    Other names are left alone: Kubernetes adds such variables for each service in sight, and the
    command line has its own.
    """
    for variable in sorted(env):
        if not variable.startswith(ENV_PREFIX) or variable == f"{ENV_PREFIX}CONFIG":
            continue
        name = variable.removeprefix(ENV_PREFIX).lower()
        if name in types:
            _take_text(given, name, env[variable], types[name], variable)
        elif not _SERVICE_LINK.search(variable) and (meant := _meant(name, types, ENV_PREFIX)):
            given.faults.append(f"{variable}: unknown{meant}")


def _take_file(path: str, types: Types, given: Given) -> None:
    """Take a YAML mapping of names to values, typed as YAML types them."""
    try:
        tree = _read_yaml(path)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        given.faults.append(f"{path}: {' '.join(str(error).split())}")
        return
    for key, value in tree.items():
        origin = f"{path}: {key}"
        if key not in types:
            given.faults.append(f"{origin}: unknown{_meant(str(key), types, '')}")
            continue
        wanted = types[key]
        if wanted is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
            given.take(key, tuple(value), origin)
        elif type(value) is wanted:
            given.take(key, value, origin)
        else:
            given.refuse(key, origin, f"{_SHORT.repr(value)} is not {_KIND[wanted]}")


def _read_yaml(path: str) -> dict[Any, object]:
    """The file's mapping; an empty file is an empty one. Raises OSError, ValueError, YAMLError."""
    with Path(path).open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"longer than {FILE_BYTES_MAX} bytes")
    tree = yaml.safe_load(raw)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ValueError("not a mapping of names to values")
    return tree


_SHORT: Final = reprlib.Repr()
_SHORT.maxlevel = 2  # with aliases a few lines may stand for gigabytes
_SHORT.maxstring = 80

_KIND: Final[Mapping[type, str]] = {
    int: "a whole number",
    bool: "true or false",
    str: "text",
    tuple: "a list of texts",
}


def _take_text(given: Given, name: str, text: str, wanted: type, origin: str) -> None:
    """Take a value that was written as text, as arguments and the environment have it."""
    try:
        given.take(name, _from_text(text, wanted), origin)
    except ValueError:
        given.refuse(name, origin, f"{text!r} is not {_KIND[wanted]}")


def _from_text(text: str, wanted: type) -> object:
    if wanted is tuple:
        return _split(text)
    if wanted is bool:
        if text.lower() not in (*_YES, *_NO):
            raise ValueError(text)
        return text.lower() in _YES
    if wanted is int:
        if not (text.isascii() and text.lstrip("-").isdigit()):
            raise ValueError(text)
        return int(text)
    return text


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _meant(name: str, types: Types, prefix: str) -> str:
    """`; did you mean …?` when a known name is near."""
    near = difflib.get_close_matches(name, list(types), n=1, cutoff=_TYPO_RATIO)
    if not near:
        return ""
    shown = near[0].replace("_", "-") if prefix == "--" else near[0]
    return f"; did you mean {prefix}{shown.upper() if prefix == ENV_PREFIX else shown}?"
