"""docs/on-disk.md says what the code does: its byte tables tile, and no sync is left out."""

import re
from pathlib import Path

import pytest

from replog_node.frames.layout import FRAME_HEADER_BYTES
from replog_node.storage.blocks import BLOCK_HEADER_BYTES
from replog_node.storage.checked import ENVELOPE_BYTES
from replog_node.storage.disk import Sync

DOCUMENT = (Path(__file__).parents[3] / "docs" / "on-disk.md").read_text()
INDEX_ROW_BYTES = 40


def byte_tables() -> list[list[tuple[int, int]]]:
    """Return (at, bytes) of all rows of each byte table, in the document's order."""
    tables = DOCUMENT.split("| at | bytes | field |\n|---|---|---|\n")[1:]
    rows = re.compile(r"\| (\d+) \| (\d+) \|")
    return [
        [(int(at), int(size)) for at, size in rows.findall(table.split("\n\n")[0])]
        for table in tables
    ]


TOTALS = [ENVELOPE_BYTES, INDEX_ROW_BYTES, BLOCK_HEADER_BYTES, FRAME_HEADER_BYTES]


@pytest.mark.parametrize(("number", "total"), list(enumerate(TOTALS)))
def test_a_byte_table_has_no_gap_and_ends_where_the_code_does(number: int, total: int) -> None:
    end = 0
    for at, size in byte_tables()[number]:
        assert at == end
        end += size
    assert end == total


def test_every_sync_has_its_reason() -> None:
    table = DOCUMENT.split("## Why each sync is there")[1]
    named = re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)
    assert sorted(named) == sorted(Sync.__members__)
