"""Batches: what is built is read back, and what a stranger sends is refused unless it is sound."""

import gzip
from collections.abc import Callable
from struct import pack

import pytest
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from replog.wire.batches import (
    HEADER_BYTES,
    CheckedBatch,
    NewRecord,
    build_batch,
    build_values,
    check_batch,
    recheck_batch,
    records_of,
    split_batches,
    stamp_of,
)
from replog.wire.limits import BATCH_BYTES_MAX, BATCH_INNER_BYTES_MAX, BATCH_RECORDS_MAX, SEQUENCES
from replog.wire.problems import ApiError

LENGTH, MAGIC, CRC, ATTRIBUTES, LAST_DELTA = 8, 16, 17, 21, 23
FIRST_MS, MAX_MS, PRODUCER, COUNT = 27, 35, 43, 57
BATCH = build_batch([NewRecord(b"one"), NewRecord(b"two", b"key", [("h", b"v")], 7)]).data

new_records = st.builds(
    NewRecord,
    value=st.none() | st.binary(max_size=40),
    key=st.none() | st.binary(max_size=10),
    headers=st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3),
    timestamp_ms=st.integers(0, 2**45),
)


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """The batch with other bytes at a place, and a checksum that agrees."""
    return signed(data[:at] + new + data[at + len(new) :])


def signed(data: bytes) -> bytes:
    """The batch with its true length and checksum."""
    data = data[:LENGTH] + pack(">i", len(data) - 12) + data[LENGTH + 4 :]
    return data[:CRC] + pack(">I", crc32c(data[ATTRIBUTES:])) + data[ATTRIBUTES:]


def with_records(data: bytes, records: bytes) -> bytes:
    """The batch with other bytes after its header."""
    return signed(data[:HEADER_BYTES] + records)


def fault(data: bytes) -> str:
    """Why the batch is refused."""
    with pytest.raises(ApiError) as refusal:
        check_batch(data)
    assert refusal.value.code == "batch_invalid"
    return refusal.value.detail


@given(st.lists(new_records, min_size=1, max_size=20), st.booleans())
def test_what_is_built_is_sound_and_reads_back(records: list[NewRecord], compress: bool) -> None:
    built = build_batch(records, gzip=compress)

    assert check_batch(built.data) == built
    assert [(r.value, r.key, list(r.headers), r.timestamp) for r in records_of(built.data)] == [
        (r.value, r.key, list(r.headers), r.timestamp_ms) for r in records
    ]


def test_values_that_share_the_rest_are_the_same_batch_as_records() -> None:
    values = [b"a", b"bc", b""]

    assert build_values(values, key=b"k", timestamp_ms=9) == build_batch(
        [NewRecord(value, b"k", timestamp_ms=9) for value in values]
    )


def test_a_stored_batch_tells_its_offsets() -> None:
    stored = pack(">q", 500) + BATCH[8:]

    assert [record.offset for record in records_of(stored)] == [500, 501]
    assert [record.offset for record in records_of(memoryview(stored))] == [500, 501]


def test_a_batch_carries_its_session() -> None:
    built = build_batch([NewRecord(b"x")] * 3, producer_id=7, producer_epoch=2, base_sequence=40)

    assert built.last_sequence == 42
    assert check_batch(built.data) == built
    assert stamp_of(pack(">q", 90) + built.data[8:]) == (7, 2, 40, 3, built.crc, 90)


def test_sequences_wrap() -> None:
    assert CheckedBatch(b"", 3, 0, 1, 0, SEQUENCES - 1).last_sequence == 1


def test_the_same_batch_at_another_place_has_the_same_checksum() -> None:
    assert check_batch(pack(">qi", 9, len(BATCH) - 12) + pack(">i", 4) + BATCH[16:]).crc == (
        check_batch(BATCH).crc
    )


@pytest.mark.parametrize("size", [0, 1, HEADER_BYTES - 1, HEADER_BYTES, len(BATCH) - 1])
def test_a_batch_cut_short_is_refused(size: int) -> None:
    fault(BATCH[:size])


def test_a_batch_with_more_behind_it_is_refused() -> None:
    assert "length" in fault(BATCH + BATCH)


@pytest.mark.parametrize("at", range(CRC, len(BATCH)))
def test_a_flipped_bit_anywhere_under_the_checksum_is_refused(at: int) -> None:
    fault(BATCH[:at] + bytes([BATCH[at] ^ 1]) + BATCH[at + 1 :])


@pytest.mark.parametrize(
    ("at", "new", "words"),
    [
        (MAGIC, b"\x01", "magic 1"),
        (ATTRIBUTES, b"\x00\x10", "control and transactional"),
        (ATTRIBUTES, b"\x00\x20", "control and transactional"),
        (ATTRIBUTES, b"\x00\x80", "unknown attributes"),
        (ATTRIBUTES, b"\x00\x04", "unknown codec 4"),
        (ATTRIBUTES, b"\x00\x07", "unknown codec 7"),
        (COUNT, pack(">i", 1), "contradicts"),
        (LAST_DELTA, pack(">i", 5), "contradicts"),
        (LAST_DELTA, pack(">i", -1), "contradicts"),
        (FIRST_MS, pack(">q", -1), "first timestamp -1: not within"),
        (FIRST_MS, pack(">q", 2**62 + 1), "first timestamp"),
        (FIRST_MS, pack(">qq", 2**62, 2**62 + 7), "max timestamp"),
        (MAX_MS, pack(">q", -1), "max timestamp -1"),
        (MAX_MS, pack(">q", 6), "the max timestamp 6 is not the greatest, 7"),
        (MAX_MS, pack(">q", 2**62), "is not the greatest, 7"),
        (PRODUCER, pack(">qhi", 7, -1, -1), "all or none"),
        (PRODUCER, pack(">qhi", -1, 0, 3), "all or none"),
        (PRODUCER, pack(">qhi", -2, -2, -2), "all or none"),
    ],
)
def test_a_header_that_no_client_may_send_is_refused(at: int, new: bytes, words: str) -> None:
    assert words in fault(changed(BATCH, at, new))


@pytest.mark.parametrize("count", [0, -1, BATCH_RECORDS_MAX + 1, 2**31 - 1])
def test_an_impossible_count_is_refused_though_the_header_agrees_with_itself(count: int) -> None:
    data = changed(changed(BATCH, COUNT, pack(">i", count)), LAST_DELTA, pack(">i", count - 1))

    assert fault(with_records(data, b"")) == f"{count} records"


def test_fewer_records_than_the_header_says_are_refused() -> None:
    more = changed(changed(BATCH, COUNT, pack(">i", 3)), LAST_DELTA, pack(">i", 2))

    assert "record 2 does not decode" in fault(more)


def test_more_records_than_the_header_says_are_refused() -> None:
    fewer = changed(changed(BATCH, COUNT, pack(">i", 1)), LAST_DELTA, pack(">i", 0))

    assert "does not decode" in fault(fewer)


def record_of_delta(delta: int) -> bytes:
    """A record without key and headers, its timestamp so far from the batch's first."""
    body = b"\0" + varint(delta) + b"\0" + varint(-1) + varint(0) + varint(0)
    return varint(len(body)) + body


def varint(value: int) -> bytes:
    """The number as Kafka writes it: zigzag, seven bits a byte."""
    left = (value << 1) ^ (value >> 63)
    out = b""
    while left > 0x7F:
        out, left = out + bytes([left & 0x7F | 0x80]), left >> 7
    return out + bytes([left])


@pytest.mark.parametrize("first_ms", [0, 5, 2**62])
@pytest.mark.parametrize("delta", [-6, -(2**62) - 1, 2**62 + 1, 2**63 - 1, -(2**63)])
def test_a_record_whose_time_is_out_of_range_is_refused(first_ms: int, delta: int) -> None:
    one = build_batch([NewRecord(b"")]).data
    lying = changed(one, FIRST_MS, pack(">qq", first_ms, first_ms))

    found = with_records(lying, record_of_delta(delta))

    if not 0 <= first_ms + delta <= 2**62:
        assert "timestamp" in fault(found)


def test_records_whose_times_fall_are_taken() -> None:
    falling = build_batch([NewRecord(b"", timestamp_ms=9), NewRecord(b"", timestamp_ms=3)])

    assert check_batch(falling.data) == falling


def test_records_out_of_their_order_are_refused() -> None:
    first = BATCH[HEADER_BYTES : HEADER_BYTES + 1 + BATCH[HEADER_BYTES] // 2]

    assert "record 1 has offset delta 0" in fault(with_records(BATCH, first + first))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda inner: gzip.compress(inner) + b"more", "one whole gzip"),
        (lambda inner: gzip.compress(inner)[:-1], "one whole gzip"),
        (lambda inner: gzip.compress(inner[:4]) + gzip.compress(inner[4:]), "one whole gzip"),
        (lambda inner: b"no gzip at all", "do not decompress"),
        (lambda inner: b"", "one whole gzip"),
    ],
    ids=["more behind", "cut short", "two streams", "another format", "nothing"],
)
def test_only_one_whole_gzip_stream_is_taken(spoil: Callable[[bytes], bytes], words: str) -> None:
    packed = build_batch([NewRecord(b"one")], gzip=True).data
    inner = gzip.decompress(packed[HEADER_BYTES:])

    assert words in fault(with_records(packed, spoil(inner)))
    assert check_batch(with_records(packed, gzip.compress(inner))).count == 1


@pytest.mark.parametrize("streams", [1, 2])
def test_what_would_grow_beyond_the_limit_is_refused_before_it_is_held(streams: int) -> None:
    packed = build_batch([NewRecord(b"one")], gzip=True).data
    bomb = gzip.compress(bytes(BATCH_INNER_BYTES_MAX + 1), 1)
    inner = bomb if streams == 1 else packed[HEADER_BYTES:] + bomb

    found = fault(with_records(packed, inner))

    assert ("exceeds" if streams == 1 else "one whole gzip stream") in found


def test_a_batch_beyond_the_limit_is_neither_built_nor_taken() -> None:
    with pytest.raises(ApiError, match="exceed"):
        build_batch([NewRecord(bytes(BATCH_BYTES_MAX))])
    assert "exceed" in fault(signed(BATCH + bytes(BATCH_BYTES_MAX)))


def test_a_batch_of_nothing_is_not_built() -> None:
    with pytest.raises(ApiError, match="at least one"):
        build_batch([])


@given(st.binary(max_size=120))
def test_any_bytes_are_a_batch_or_refused(data: bytes) -> None:
    fault(data)


@given(st.integers(ATTRIBUTES, len(BATCH) - 1), st.binary(min_size=1, max_size=10))
def test_a_sealed_batch_with_any_bytes_within_is_refused_or_readable(at: int, new: bytes) -> None:
    data = changed(BATCH, at, new[: len(BATCH) - at])
    try:
        checked = check_batch(data)
    except ApiError:
        return
    assert len(list(records_of(data))) == checked.count


def test_batches_one_after_the_other_are_taken_apart() -> None:
    other = build_values([b"x"] * 3, timestamp_ms=1).data

    assert split_batches(BATCH + other + BATCH) == [BATCH, other, BATCH]
    assert split_batches(b"") == []


@pytest.mark.parametrize(
    "spoilt",
    [BATCH[:-1], BATCH[:70], BATCH[:-1] + b"!", BATCH + b"tail", BATCH + changed(BATCH, 16, b"\1")],
)
def test_damage_on_the_way_from_a_node_is_seen(spoilt: bytes) -> None:
    with pytest.raises(ValueError, match="at byte"):
        split_batches(spoilt)


def test_a_batch_that_was_checked_before_is_not_decoded_again_but_its_checksum_is() -> None:
    sound = build_batch([NewRecord(b"a"), NewRecord(b"b")], gzip=True)
    assert recheck_batch(sound.data) == check_batch(sound.data) == sound
    with pytest.raises(ApiError):
        recheck_batch(sound.data[:-1] + bytes([sound.data[-1] ^ 1]))
