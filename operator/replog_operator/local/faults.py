"""How faults of a resource read: values told back short, and on one line.

Decides: that. Must not know: fields. Pure.
Read next: spec.py, wishes.py.
"""

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

SHOWN_CHARS: Final = 80
"""So much of a text is told back."""

_SHORT: Final = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxstring = SHOWN_CHARS


def unknown(where: str, found: Mapping[Any, Any], known: tuple[str, ...]) -> Iterator[str]:
    """A fault for each field that there is not."""
    for name in found:
        if name not in known:
            plain = isinstance(name, str) and name.isprintable()
            told = name[:SHOWN_CHARS] if plain else shown(name)
            yield f"{where}{told}: unknown; known are {', '.join(known)}"


def shown(value: Any) -> str:
    """A value of the file, bounded: with aliases a few lines may stand for gigabytes."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "a number of very many digits"
