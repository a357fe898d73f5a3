"""The map shows the land: named files exist, every package and every decision is on a list."""

import re
from pathlib import Path

from tests.unit.house.files import ROOT, project_files, text_of

MAP = "docs/architecture.md"
OPERATOR = "operator/replog_operator"
DECISIONS = "docs/decisions/README.md"
PATH = re.compile(r"`((?:node|operator|tests|docs|charts|manifests)/[^`\s*…:]+)(?:::[^`]+)?`")


def test_every_file_that_a_document_names_exists() -> None:
    missing = [
        f"{document}: {path}"
        for document in project_files(".md")
        for path in PATH.findall(text_of(document))
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_every_package_is_on_the_map() -> None:
    modules = [path for path in project_files(".py") if path.startswith(("node/", "operator/"))]
    packages = {str(Path(path).parent) for path in modules}
    drawn = set(PATH.findall(text_of(MAP)))
    on_the_map = {str(Path(path).parent) if path.endswith(".py") else path for path in drawn}
    assert sorted(packages - on_the_map) == []


def test_every_module_of_the_operator_is_on_the_map() -> None:
    found = (Path(path) for path in project_files(".py"))
    modules = [
        str(path)
        for path in found
        if path.is_relative_to(OPERATOR) and path.name not in ("__init__.py", "__main__.py")
    ]
    drawn = set(PATH.findall(text_of(MAP)))
    assert len(modules) > 90
    assert sorted(set(modules) - drawn) == []


def test_every_decision_is_on_the_list_and_numbered_once() -> None:
    decisions = [
        Path(path).name
        for path in project_files(".md")
        if path.startswith("docs/decisions/") and path != DECISIONS
    ]
    listed = re.findall(r"\]\((\d{4}-[^)]+\.md)\)", text_of(DECISIONS))
    assert sorted(decisions) == sorted(listed)
    assert [name[:4] for name in sorted(decisions)] == [
        f"{number:04}" for number in range(1, len(decisions) + 1)
    ]
