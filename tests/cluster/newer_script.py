"""Run once while the image is built: makes a later version of the node that is installed in it.

It speaks one feature level more. From that level on, the call for a snapshot writes a record of a
kind of its own, SnapshotAsked, which an older build does not know.

Decides: what the later version has more. Must not know: who runs it.
Read next: images.py, replog_node/model/features.py.
"""

import importlib.util
import re
from pathlib import Path

KIND = """

class SnapshotAsked(SnapshotPoint, frozen=True):
    \"\"\"A snapshot point that somebody asked for; a kind that only this version knows.\"\"\"


CONTROL_TYPES[SnapshotAsked] = (max(number for number, _ in CONTROL_TYPES.values()) + 1, 0)
CONTROL_LEVELS[SnapshotAsked] = FEATURE_LEVEL
"""


def module(name: str) -> Path:
    """Where a module is installed."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise SystemExit(f"there is no module {name}")
    return Path(found.origin)


def change(name: str, pattern: str, replacement: str) -> None:
    """Replace what is found exactly once in a module."""
    path = module(name)
    text, found = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    if found != 1:
        raise SystemExit(f"{name} has {pattern!r} {found} times, not once")
    path.write_text(text)


def main() -> None:
    """Change the three modules."""
    change("replog_node.model.features", r"^(FEATURE_LEVEL: Final = .*)$", r"\1 + 1")
    change(
        "replog_node.model.controls",
        r"^(from replog_node.model.features import )FIRST_LEVEL$",
        r"\1FEATURE_LEVEL, FIRST_LEVEL",
    )
    controls = module("replog_node.model.controls")
    controls.write_text(controls.read_text() + KIND)
    change("replog_node.driver.admin", r"^    SnapshotPoint,$", "    SnapshotAsked,")
    change("replog_node.driver.admin", r'SnapshotPoint\("call"\)', 'SnapshotAsked("call")')


if __name__ == "__main__":
    main()
