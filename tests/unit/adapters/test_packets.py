"""Messages in packets come out as they went in, whatever their sizes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replog_node.adapters import packets
from replog_node.adapters.packets import (
    BULK_BYTES_MAX,
    CONTROL_MESSAGES_MAX,
    MESSAGE_BYTES_MAX,
    PACKET_BYTES_MAX,
    Outbox,
    PacketError,
    Unpacker,
    bulk_outbox,
    control_outbox,
)

SIZES = st.lists(st.sampled_from([1, 8, 1000, 2**19, 2**20 - 6, 2**20 - 5, 2**20 - 4, 3 * 2**20]))


def drained(outbox: Outbox) -> list[bytes]:
    found = []
    while packet := outbox.take():
        found.append(packet)
    return found


@settings(max_examples=30)
@given(SIZES)
def test_messages_come_out_as_they_went_in(sizes: list[int]) -> None:
    messages = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    outbox = Outbox(1000, 2**30, drop_oldest=False)
    assert all(map(outbox.put, messages))
    sent = drained(outbox)
    assert all(len(packet) <= PACKET_BYTES_MAX for packet in sent)
    unpacker = Unpacker()
    assert [m for packet in sent for m in unpacker.feed(packet)] == messages


def test_what_waits_together_leaves_in_one_packet() -> None:
    outbox = bulk_outbox()
    for _ in range(1000):
        outbox.put(b"x" * 100)
    assert len(drained(outbox)) == 1


def test_of_too_many_control_messages_the_newest_stay() -> None:
    outbox = control_outbox()
    for number in range(CONTROL_MESSAGES_MAX + 3):
        assert outbox.put(b"%d" % number)
    (packet,) = drained(outbox)
    messages = Unpacker().feed(packet)
    assert (messages[0], len(messages)) == (b"3", CONTROL_MESSAGES_MAX)


def test_a_full_bulk_queue_takes_nothing_more_and_loses_nothing() -> None:
    outbox = bulk_outbox()
    assert outbox.put(bytes(BULK_BYTES_MAX))
    assert not outbox.put(b"x")
    drained(outbox)
    assert outbox.put(b"x")


def test_a_message_of_which_a_part_was_sent_is_not_dropped() -> None:
    outbox = Outbox(2, 2**30, drop_oldest=True)
    messages = [bytes(2 * PACKET_BYTES_MAX), b"dropped", b"newest"]
    outbox.put(messages[0])
    first = outbox.take()
    outbox.put(messages[1])
    outbox.put(messages[2])
    unpacker = Unpacker()
    found = [m for packet in (first, *drained(outbox)) for m in unpacker.feed(packet)]
    assert found == [messages[0], messages[2]]


def test_a_message_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    unpacker = Unpacker()
    part = b"\x01" + (2**20).to_bytes(4, "big") + bytes(2**20)
    for _ in range(MESSAGE_BYTES_MAX // 2**20):
        assert unpacker.feed(part) == []
    with pytest.raises(PacketError, match="more than"):
        unpacker.feed(part)


@given(st.binary(max_size=40))
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    try:
        Unpacker().feed(data)
    except PacketError:
        return
    assert data[:1] in (b"", b"\x00", b"\x01")


def test_a_longer_message_than_the_other_side_takes_is_not_queued() -> None:
    assert not bulk_outbox().put(bytes(MESSAGE_BYTES_MAX + 1))
    assert packets.MESSAGE_BYTES_MAX >= 2 * 32 * 1024 * 1024
