"""What is pinned, and where what is built from it lies.

The versions of Go modules stand in go/go.mod and nowhere else.

Decides: places and keys of the cache. Must not know: how anything is built.
Read next: binaries.py.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GO = HERE / "go"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "replog" / "cluster"
"""Outside the repository: it holds gigabytes, and outlives any checkout."""


def pinned(module: str) -> str:
    """The version of a module that go.mod requires, with its `v`."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)$", (GO / "go.mod").read_text(), re.M)
    if found is None:
        raise AssertionError(f"go.mod requires no {module}")
    return found[1]


def key(files: Iterable[Path], *more: str) -> str:
    """Twelve hexadecimal digits that change with any of these files or words."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update("\0".join(more).encode())
    return digest.hexdigest()[:12]
