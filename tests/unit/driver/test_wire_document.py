"""docs/wire-format.md names every message, key, number and bound that the code has."""

from pathlib import Path

import msgspec
import pytest

from replog_node.adapters import hello, packets
from replog_node.driver import messages, wire
from replog_node.raft.messages import Envelope

PAGE = (Path(__file__).parents[3] / "docs" / "wire-format.md").read_text()
STRUCTS = (
    hello.Hello,
    hello.HelloAnswer,
    Envelope,
    *wire.CORE_KINDS,
    messages.ForwardAppends,
    messages.ForwardResults,
    messages.ForwardAdmin,
    messages.ForwardAdminResult,
    messages.FetchEntries,
    messages.EntriesFetched,
    messages.ForwardedAppended,
    messages.ForwardedRefusal,
    messages.FetchChunk,
    messages.ChunkFetched,
    messages.SnapshotReport,
)


@pytest.mark.parametrize("struct", STRUCTS)
def test_every_key_is_on_the_page(struct: type[msgspec.Struct]) -> None:
    missing = [name for name in struct.__struct_encode_fields__ if f"`{name}`" not in PAGE]
    assert missing == []


@pytest.mark.parametrize("kind", wire.CORE_KINDS)
def test_every_message_of_the_core_has_a_row_with_its_own_keys(
    kind: type[msgspec.Struct],
) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{kind.__name__}` |")]
    own = [name for name in kind.__struct_fields__ if name != "term"]
    assert [name for name in own if f"`{name}`" not in row] == []


@pytest.mark.parametrize(("number", "kind"), wire.TYPES.items())
def test_every_type_has_its_number_on_the_page(number: int, kind: type) -> None:
    assert f"| {number} | `{kind.__name__}`" in PAGE


@pytest.mark.parametrize(
    "number",
    [
        hello.HELLO_TYPE,
        hello.ANSWER_TYPE,
        hello.HELLO_BYTES_MAX,
        hello.TEXT_CHARS_MAX,
        f"{packets.PACKET_BYTES_MAX:,}",
        f"{packets.MESSAGE_BYTES_MAX:,}",
        packets.CONTROL_MESSAGES_MAX,
        f"{packets.BULK_BYTES_MAX >> 20} MiB",
    ],
)
def test_every_bound_is_on_the_page(number: int | str) -> None:
    assert str(number) in PAGE
