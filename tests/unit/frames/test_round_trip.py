"""A frame read back is the entry that was built, and stands only after its predecessor."""

import pytest

from replog_node.frames.build import build_entry
from replog_node.frames.chain import seed
from replog_node.frames.decode import decode_entry, follows
from replog_node.model.controls import ClockAdvanced
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ORIGIN, ClusterId, Term

TAIL = Tail(position=ORIGIN, chain=seed(ClusterId("a-cluster")), append_time_ms=0)


def built() -> Entry:
    return build_entry(Payload(controls=(ClockAdvanced(),)), Term(1), TAIL, 5)


def test_a_frame_decodes_to_the_entry_it_was_built_from() -> None:
    assert decode_entry(built().frame) == built()


@pytest.mark.parametrize(("cluster", "expected"), [("a-cluster", True), ("another", False)])
def test_a_frame_follows_only_its_own_chain(cluster: str, expected: bool) -> None:
    assert follows(seed(ClusterId(cluster)), built()) is expected
