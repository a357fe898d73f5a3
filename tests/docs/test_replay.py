"""What the README tells to type does what the README shows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import as_shown, blocks, commands
from tests.docs.replay import Cluster, cluster
from tests.unit.house.files import text_of

DOCUMENTS = ("README.md",)
TYPED = ("bash", "curl", "pkill", "seq")


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Cluster]:
    missing = [name for name in TYPED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"the README types {', '.join(missing)}, which this machine lacks")
    with cluster(tmp_path) as made:
        yield made


@pytest.mark.timeout(150)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_shows_is_what_happens(document: str, members: Cluster) -> None:
    typed = 0
    for block in blocks(text_of(document)):
        if block.language == "console":
            for command in commands(block):
                done = members.type(command)
                told = f"{document}:{command.line}: {command.text}\n{done.stdout}{done.stderr}"
                assert done.returncode == 0, told
                assert as_shown(command.expected, done.stdout), told
                typed += 1
    assert typed > 0
