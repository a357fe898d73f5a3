"""Which files belong to the project."""

from functools import cache
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).parents[3]
PRODUCT = ("node/", "operator/")
BYTES = (".flight",)
"""Files that are no text: recordings (docs/on-disk.md)."""


@cache
def project_files(*endings: str) -> tuple[str, ...]:
    """Return the paths, from the root, that git keeps or would take, with one of these endings.

    Those that are no text only if they are asked for.
    """
    listed = run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return tuple(
        path
        for path in sorted(listed)
        if (path.endswith(endings) if endings else not path.endswith(BYTES))
        and (ROOT / path).is_file()
    )


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def is_product(path: str) -> bool:
    return path.startswith(PRODUCT)
