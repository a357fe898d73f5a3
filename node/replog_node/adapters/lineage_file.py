"""The file that names the lineage in force: who runs the log writes it, each member reads it.

On Kubernetes it is a key of the log's ConfigMap, written before a survivor is forced to go on, so
that whoever can't be reached by the new life still hears of it.

Decides: what a file says. Must not know: what follows from it.
Read next: warden.py.
"""

from pathlib import Path
from typing import Final

BYTES_MAX: Final = 64
"""More isn't a number of a lineage."""


class Unclear(ValueError):
    """The file is there and names no lineage."""


def read_lineage(path: str) -> int:
    """Return the number in the file; 0 for none: no path, no file, an empty one.

    Raises Unclear for anything else that is no number.
    """
    if not path:
        return 0
    try:
        with Path(path).open("rb") as file:
            text = file.read(BYTES_MAX + 1).strip()
    except FileNotFoundError:
        return 0
    except OSError as problem:
        raise Unclear(f"{path}: {problem}") from problem
    if not text:
        return 0
    if len(text) > BYTES_MAX or not text.isdigit():
        raise Unclear(f"{path}: {text[:BYTES_MAX]!r} is no lineage's number")
    return int(text)
