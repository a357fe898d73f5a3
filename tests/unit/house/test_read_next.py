"""What a module tells people to read next is there.

A name is looked for beside the module, in the folders above it, and from the root.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.unit.house.files import ROOT, project_files, text_of

FILE = re.compile(r"[\w./-]*\w\.(?:py|md|yaml)\b|(?:[\w.-]+/)+")
MODULES = [path for path in project_files(".py") if path.startswith(("node/", "operator/"))]


def named(docstring: str) -> list[str]:
    """The files and folders that its part "Read next" names."""
    _, _, after = docstring.partition("Read next:")
    return FILE.findall(after.split("\n\n")[0])


def missing(path: str, docstring: str) -> Iterator[str]:
    folders = list((ROOT / path).parents)
    places = folders[: folders.index(ROOT) + 1]
    for name in named(docstring):
        if not any((place / name).exists() for place in places):
            yield f"{path}: {name}"


def test_what_to_read_next_is_there() -> None:
    opened = {path: ast.get_docstring(ast.parse(text_of(path))) or "" for path in MODULES}
    assert sum(bool(named(text)) for text in opened.values()) > 200
    gone = [found for path, text in opened.items() for found in missing(path, text)]
    assert gone == []


def test_no_module_sends_people_to_itself() -> None:
    for path in MODULES:
        docstring = ast.get_docstring(ast.parse(text_of(path))) or ""
        assert Path(path).name not in named(docstring), path


def test_names_are_found_in_prose() -> None:
    text = "What.\n\nRead next: a.py (why), ../b/c.py, docs/cli.md,\nkube/children.\n\nd.py"
    assert named(text) == ["a.py", "../b/c.py", "docs/cli.md", "kube/"]
