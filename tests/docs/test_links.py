"""Links between documents lead to files and headings that exist."""

from os.path import normpath
from pathlib import PurePosixPath

import pytest

from tests.docs.markdown import anchors, links
from tests.unit.house.files import ROOT, project_files, text_of

DOCUMENTS = project_files(".md")


def aim(document: str, path: str) -> str:
    return document if not path else normpath(PurePosixPath(document).parent / path)


def fault_of(document: str, target: str) -> str | None:
    if "://" in target or target.startswith("mailto:"):
        return None
    path, _, anchor = target.partition("#")
    aimed = aim(document, path)
    if not (ROOT / aimed).exists():
        return f"{target}: no such file"
    if anchor and anchor not in anchors(text_of(aimed)):
        return f"{target}: no such heading"
    return None


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_of_a_document_leads_somewhere(document: str) -> None:
    found = [(line, fault_of(document, target)) for line, target in links(text_of(document))]
    assert [f"{document}:{line}: {fault}" for line, fault in found if fault] == []


def test_a_dead_link_is_seen() -> None:
    assert fault_of("README.md", "docs/nowhere.md") is not None
    assert fault_of("README.md", "docs/api.md#nowhere") is not None
    assert fault_of("README.md", "docs/api.md#routes") is None


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.startswith("docs/")])
def test_every_document_can_be_reached_from_the_readme(document: str) -> None:
    assert document in reachable()


def reachable() -> set[str]:
    seen: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        document = waiting.pop()
        seen.add(document)
        for _, target in links(text_of(document)):
            aimed = aim(document, target.partition("#")[0])
            if aimed.endswith(".md") and (ROOT / aimed).exists() and aimed not in seen:
                waiting.append(aimed)
    return seen
