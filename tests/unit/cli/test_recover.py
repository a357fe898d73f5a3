"""What `replog recover` says of a lost majority, and what it takes."""

import pytest
from msgspec.structs import replace

from replog.cli.recover import Found, told
from replog.wire.recovery import Survey
from tests.unit.cli.running import ran

A = Survey(
    member="a", fenced_by="op", cluster_id="c", lineage="1.x", number=1, term=5, last_term=4,
    last_offset=9, chain="01" * 16, commit_offset=7, log_start_offset=0, configuration_offset=3,
    whole=True, voters=["a", "b", "c"], outgoing=[],
)  # fmt: skip
B = replace(A, member="b", last_term=3, last_offset=20, commit_offset=8)


def test_the_one_with_the_later_term_has_the_most_and_the_missing_are_named() -> None:
    lines = told(Found({"h:1": A, "h:2": B}, {"h:3": "refused"}))
    assert lines == [
        "a has the most, up to offset 9",
        "known to be committed up to offset 8; what is after it becomes committed",
        "no word from c: what was acknowledged after offset 9 is lost, if there is any",
        "to let it go on alone, with all others stopped for good:",
        "    replog recover --stopped b,c --yes",
        "to lift the fences again: replog recover --cancel",
    ]


def test_of_one_term_the_longer_log_has_the_most() -> None:
    found = Found({"h:1": A, "h:2": replace(B, last_term=4, last_offset=10)}, {})
    assert found.best is not None and found.best[1].member == "b"


def test_who_has_lost_a_part_does_not_go_on() -> None:
    lines = told(Found({"h:1": replace(A, whole=False)}, {}))
    assert lines[0] == "no member that answers has a whole log of which it is a voter"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "options",
    [("--stopped", "a"), ("--yes",), ("--cancel", "--yes"), ("--cancel", "--stopped", "a")],
)
async def test_options_that_do_not_go_together(options: tuple[str, ...]) -> None:
    assert (await ran(None, "recover", *options)).code == 2


@pytest.mark.asyncio
async def test_nobody_there_is_told() -> None:
    ended = await ran(None, "recover", "--peer-endpoint", "127.0.0.1:1", "--timeout", "0.2")
    assert (ended.code, "no member answered" in ended.err) == (4, True)
