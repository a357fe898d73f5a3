"""The programs of docs/client.md run as they stand, and print what is shown."""

import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from subprocess import run

import pytest

from replog.client.producer import UNACKNOWLEDGED_BYTES
from replog.client.transport import ENDPOINTS_MAX
from replog.wire.limits import IN_FLIGHT_MAX
from tests.docs.markdown import Block, blocks
from tests.docs.replay import DEFAULT_PORT, Cluster, cluster
from tests.unit.house.files import text_of

DOCUMENT = "docs/client.md"


def _programs() -> Iterator[tuple[Block, Block]]:
    found = list(blocks(text_of(DOCUMENT)))
    for program, shown in pairwise(found):
        if program.language == "python":
            assert shown.language == "text", f"line {program.line} shows no output"
            yield program, shown


@pytest.mark.timeout(120)
def test_each_program_prints_what_is_shown(tmp_path: Path) -> None:
    with cluster(tmp_path) as members:
        for program, shown in _programs():
            done = _run(program, members)
            assert done == shown.text + "\n", f"{DOCUMENT}:{program.line}"


def _run(program: Block, members: Cluster) -> str:
    text = DEFAULT_PORT.sub(members.port, program.text)
    done = run(
        [sys.executable, "-W", "error", "-c", text],
        env=members.environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, f"{DOCUMENT}:{program.line}\n{done.stderr}"
    return done.stdout


def test_the_bounds_that_it_names_are_those_of_the_code() -> None:
    text = text_of(DOCUMENT)
    assert f"{UNACKNOWLEDGED_BYTES // 1024**2} MiB" in text
    assert re.search(rf"batches under way in a session \| {IN_FLIGHT_MAX} ", text)
    assert re.search(rf"endpoints that are learned \| {ENDPOINTS_MAX} ", text)
