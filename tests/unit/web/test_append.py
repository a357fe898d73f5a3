"""POST /v1/records: what becomes a batch, and what is refused with nothing appended."""

import base64
import gzip as gzip_module
import json
from typing import Any

import pytest
from google_crc32c import value as crc32c

from replog.wire.batches import HEADER_BYTES, NewRecord, build_batch, records_of
from replog.wire.problems import ApiError
from replog_node.frames.layout import FRAME_HEADER_BYTES
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import client_listener, problem

pytestmark = pytest.mark.asyncio

OCTETS = "application/octet-stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"
BATCH = "application/vnd.replog.batch"


async def append(
    body: bytes, content_type: str = OCTETS, *headers: tuple[str, str]
) -> tuple[MemoryService, int, Any]:
    """Post a body; the service, the status and the answer."""
    service = MemoryService()
    async with client_listener(service) as client:
        given = [("Content-Type", content_type), *headers]
        response = await client.post("/v1/records", data=body, headers=given)
        return service, response.status, await response.json(content_type=None)


async def refused(
    status: int, code: str, body: bytes, content_type: str = OCTETS, *headers: tuple[str, str]
) -> dict[str, Any]:
    """The problem that such an append is answered with, when it appended nothing."""
    service = MemoryService()
    async with client_listener(service) as client:
        given = [("Content-Type", content_type), *headers]
        response = await client.post("/v1/records", data=body, headers=given)
        found = await problem(response, status, code)
    assert (service.appends, found["outcome"]) == ([], "none")
    return found


async def test_an_octet_stream_is_the_value_of_one_record() -> None:
    service, status, answer = await append(b"\x00\xffvalue\n")

    assert status == 200
    assert answer == {
        "base_offset": 0, "last_offset": 0, "count": 1, "term": 1, "duplicate": False
    }  # fmt: skip
    (record,) = records_of(service.appends[0].data)
    assert (record.value, record.key, list(record.headers)) == (b"\x00\xffvalue\n", None, [])


async def test_its_key_time_and_headers_come_as_headers() -> None:
    service, status, _ = await append(
        b"",
        OCTETS,
        ("Replog-Key", "caf%C3%A9%FF"),
        ("Replog-Timestamp-Ms", "1234"),
        ("Replog-Header", "a=1"),
        ("Replog-Header", "a%3D=%25=x"),
    )

    assert status == 200
    (record,) = records_of(service.appends[0].data)
    assert (record.value, record.key, record.timestamp) == (b"", b"caf\xc3\xa9\xff", 1234)
    assert list(record.headers) == [("a", b"1"), ("a=", b"%=x")]


async def test_lines_of_json_are_one_batch_with_or_without_the_last_line_end() -> None:
    for end in (b"", b"\n", b"\r\n"):
        second = b'{"value_base64":"/w==","headers":[["h","v"]]}'
        lines = (b'{"value":"a","key":"k"}', second, b"{}")
        service, status, answer = await append(b"\n".join(lines) + end, NDJSON)

        assert (status, answer["count"], answer["last_offset"]) == (200, 3, 2)
        found = [(r.value, r.key, list(r.headers)) for r in records_of(service.appends[0].data)]
        assert found == [(b"a", b"k", []), (b"\xff", None, [("h", b"v")]), (None, None, [])]


async def test_a_json_array_is_one_batch() -> None:
    body = [{"value": "a", "timestamp_ms": 5}, {"value": "b", "key_base64": ""}]
    service, status, answer = await append(json.dumps(body).encode(), f"{JSON}; charset=utf-8")

    assert (status, answer["count"]) == (200, 2)
    first, second = records_of(service.appends[0].data)
    assert (first.value, first.timestamp, second.value, second.key) == (b"a", 5, b"b", b"")


async def test_the_producer_headers_go_into_the_batch() -> None:
    service, status, _ = await append(
        b"v", OCTETS, *producers(7, 2, 31), ("Replog-Timestamp-Ms", "5")
    )

    assert status == 200
    made = service.appends[0]
    assert (made.producer_id, made.producer_epoch, made.base_sequence) == (7, 2, 31)


async def test_a_session_needs_timestamps_or_its_repeats_would_be_other_batches() -> None:
    headers = producers(7, 2, 31)
    await refused(400, "header_invalid", b"v", OCTETS, *headers)
    two = b'{"value":"a","timestamp_ms":5}\n{"value":"b"}\n'
    found = await refused(422, "record_invalid", two, NDJSON, *headers)
    assert found["line"] == 2


@pytest.mark.parametrize("line", [1, 2, 3])
async def test_broken_json_in_line_k_names_the_line_and_appends_nothing(line: int) -> None:
    lines = [b'{"value":"ok"}'] * 3
    lines[line - 1] = b'{"value": '

    found = await refused(400, "json_invalid", b"\n".join(lines), NDJSON)

    assert found["line"] == line


@pytest.mark.parametrize(
    "line",
    [b"", b'{"value":"a"} {"value":"b"}', b'{"value":"\xff"}', b'{"value":"a"', b"nul"],
)
async def test_a_line_is_exactly_one_json_text(line: bytes) -> None:
    found = await refused(400, "json_invalid", b'{"value":"a"}\n' + line + b"\n", NDJSON)

    assert found["line"] == 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"valeu":"a"}',
        b'{"value":1}',
        b"[]",
        b'{"value":"a","value_base64":"YQ=="}',
        b'{"key":"a","key_base64":"YQ=="}',
        b'{"value_base64":"YQ"}',
        b'{"value_base64":"Y Q=="}',
        b'{"headers":[["only"]]}',
        b'{"timestamp_ms":-1}',
        b'{"timestamp_ms":1.5}',
        b'{"timestamp_ms":9223372036854775807}',
    ],
)
async def test_json_that_is_no_record_names_its_place(line: bytes) -> None:
    in_line = await refused(422, "record_invalid", b'{"value":"a"}\n' + line, NDJSON)
    in_array = await refused(422, "record_invalid", b"[{}," + line + b"]", JSON)

    assert (in_line["line"], in_array["index"]) == (2, 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[", 400, "json_invalid"),
        (b"", 400, "json_invalid"),
        (b"[{}] x", 400, "json_invalid"),
        (b"[" * 100_000, 400, "json_invalid"),
        (b'[{"value":' + b"[" * 100_000, 400, "json_invalid"),
        (b"{}", 422, "record_invalid"),
        (b"[]", 422, "batch_invalid"),
    ],
)
async def test_a_body_that_is_no_array_of_records(body: bytes, status: int, code: str) -> None:
    await refused(status, code, body, JSON)


async def test_no_line_is_no_batch() -> None:
    await refused(422, "batch_invalid", b"", NDJSON)


async def test_a_wrong_content_type_lists_the_known_ones() -> None:
    for given in ("text/plain", "", "application/jsonx"):
        found = await refused(415, "content_type_unsupported", b"v", given)

        assert found["supported"] == [OCTETS, NDJSON, JSON, BATCH]


async def test_an_encoded_body_is_refused() -> None:
    await refused(415, "content_type_unsupported", b"v", OCTETS, ("Content-Encoding", "br"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Replog-Key", "50%"),
        ("Replog-Timestamp-Ms", "-1"),
        ("Replog-Timestamp-Ms", "now"),
        ("Replog-Header", "novalue"),
        ("Replog-Header", "=v"),
        ("Replog-Header", "%FF=v"),
        ("Replog-Timeout-Ms", "0"),
        ("Replog-Timeout-Ms", "600001"),
        ("Replog-Timeout-Ms", "1e3"),
    ],
)
async def test_a_malformed_header_is_named(name: str, value: str) -> None:
    found = await refused(400, "header_invalid", b"v", OCTETS, (name, value))

    assert found["header"] == name


@pytest.mark.parametrize(
    "name",
    [
        "Replog-Timeout-Ms", "Replog-Key", "Replog-Timestamp-Ms", "Producer-Id", "Producer-Epoch",
        "Producer-Sequence",
    ],
)  # fmt: skip
async def test_a_header_that_is_given_twice_is_refused_even_with_the_same_value(name: str) -> None:
    given = {
        "Replog-Timeout-Ms": "5", "Replog-Key": "5", "Replog-Timestamp-Ms": "5",
        "Producer-Id": "5", "Producer-Epoch": "5", "Producer-Sequence": "5",
    }  # fmt: skip

    found = await refused(400, "header_invalid", b"v", OCTETS, *given.items(), (name, "5"))

    assert (found["header"], found["detail"]) == (name, f"{name}: given more than once")


async def test_a_second_type_or_encoding_of_a_body_is_not_passed_over() -> None:
    found = await refused(400, "request_invalid", b"v", OCTETS, ("Content-Type", OCTETS))
    assert "Content-Type" in found["detail"]
    twice = (("Content-Encoding", "identity"), ("Content-Encoding", "gzip"))
    await refused(415, "content_type_unsupported", b"v", OCTETS, *twice)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"Producer-Id": "1"}, "Producer-Epoch"),
        ({"Producer-Id": "1", "Producer-Epoch": "0"}, "Producer-Sequence"),
        ({"Producer-Epoch": "0", "Producer-Sequence": "0"}, "Producer-Id"),
        (
            {"Producer-Id": "-1", "Producer-Epoch": "0", "Producer-Sequence": "0"},
            "Producer-Id",
        ),
        (
            {"Producer-Id": "1", "Producer-Epoch": "32768", "Producer-Sequence": "0"},
            "Producer-Epoch",
        ),
        (
            {"Producer-Id": "1", "Producer-Epoch": "0", "Producer-Sequence": "2147483648"},
            "Producer-Sequence",
        ),
    ],
)
async def test_producer_headers_come_together_and_in_range(
    given: dict[str, str], named: str
) -> None:
    found = await refused(400, "header_invalid", b"v", OCTETS, *given.items())

    assert found["header"] == named


async def test_headers_of_one_record_are_refused_for_many() -> None:
    found = await refused(400, "header_invalid", b"{}", NDJSON, ("Replog-Key", "k"))

    assert found["header"] == "Replog-Key"


async def test_the_time_limit_of_the_call_is_the_callers_or_the_settings() -> None:
    service = MemoryService()
    async with client_listener(service, request_timeout_ms=7000) as client:
        for headers in ({}, {"Replog-Timeout-Ms": "250"}):
            given = {"Content-Type": OCTETS, **headers}
            await client.post("/v1/records", data=b"v", headers=given)

    assert service.timeouts == [7.0, 0.25]


async def test_a_refusal_of_the_service_is_told_with_its_outcome() -> None:
    service = MemoryService()
    service.fault = ApiError("timeout", "not committed within 10 s")
    async with client_listener(service) as client:
        response = await client.post("/v1/records", data=b"v", headers={"Content-Type": OCTETS})

        assert (await problem(response, 504, "timeout"))["outcome"] == "unknown"


async def test_binary_values_survive_json_both_ways() -> None:
    every_byte = bytes(range(256))
    line = json.dumps({"value_base64": base64.b64encode(every_byte).decode()}).encode()
    service, status, _ = await append(line, NDJSON)

    assert status == 200
    (record,) = records_of(service.appends[0].data)
    assert record.value == every_byte


def gzip_bomb() -> bytes:
    """A batch of a few KiB whose records would take 33 MiB."""
    sound = build_batch([NewRecord(b"x")], gzip=True).data
    inner = gzip_module.compress(bytes(33 * 1024 * 1024), 1)
    body = sound[21:HEADER_BYTES] + inner
    checksum: int = crc32c(body)
    head = sound[:8] + (HEADER_BYTES + len(inner) - 12).to_bytes(4, "big") + sound[12:17]
    return head + checksum.to_bytes(4, "big") + body


def producers(number: int, epoch: int, sequence: int) -> list[tuple[str, str]]:
    """The producer headers."""
    values = {"Producer-Id": number, "Producer-Epoch": epoch, "Producer-Sequence": sequence}
    return [(name, str(value)) for name, value in values.items()]


RECORDS = [NewRecord(b"a", b"k", [("h", b"v")], 5), NewRecord(None, None, (), 6)]


@pytest.mark.parametrize("gzip", [False, True])
async def test_a_batch_is_taken_as_it_was_built_with_its_session_in_its_header(gzip: bool) -> None:
    sent = build_batch(RECORDS, producer_id=7, producer_epoch=2, base_sequence=31, gzip=gzip)
    for headers in ([], producers(7, 2, 31)):
        service, status, answer = await append(sent.data, BATCH, *headers)

        assert (status, answer["count"]) == (200, 2)
        assert service.appends == [sent]


async def test_producer_headers_that_contradict_a_batch_are_refused() -> None:
    within = build_batch(RECORDS, producer_id=7, producer_epoch=2, base_sequence=31)
    without = build_batch(RECORDS)
    for sent, headers in ((within, producers(7, 2, 32)), (without, producers(7, 2, 31))):
        await refused(422, "batch_invalid", sent.data, BATCH, *headers)


async def test_headers_of_one_record_are_refused_for_a_batch() -> None:
    sent = build_batch(RECORDS).data

    await refused(400, "header_invalid", sent, BATCH, ("Replog-Key", "k"))


async def test_a_batch_with_any_byte_changed_is_refused() -> None:
    sound = build_batch(RECORDS).data
    service = MemoryService()
    async with client_listener(service) as client:
        for at in range(8, len(sound)):
            if 12 <= at < 16:
                continue  # the leader epoch, which the log fills in
            changed = sound[:at] + bytes([sound[at] ^ 0x41]) + sound[at + 1 :]
            response = await client.post(
                "/v1/records", data=changed, headers={"Content-Type": BATCH}
            )
            await problem(response, 422, "batch_invalid")
    assert service.appends == []


@pytest.mark.parametrize("cut", [0, 1, 60, 61, -2])
async def test_a_batch_that_is_cut_or_continued_is_refused(cut: int) -> None:
    sound = build_batch(RECORDS).data

    await refused(422, "batch_invalid", sound[:cut], BATCH)
    await refused(422, "batch_invalid", sound + sound[: cut + 1], BATCH)


async def test_a_control_batch_is_refused_even_with_a_right_checksum() -> None:
    control = MemoryService().put_control().frame[FRAME_HEADER_BYTES:]

    await refused(422, "batch_invalid", control, BATCH)


async def test_a_batch_that_explodes_is_refused() -> None:
    bomb = gzip_bomb()

    found = await refused(422, "batch_invalid", bomb, BATCH)

    assert "decompressed" in found["detail"]


@pytest.mark.parametrize(("text", "wanted"), [("none", -1), ("0", 0), ("9007", 9007)])
@pytest.mark.parametrize("content_type", [OCTETS, NDJSON, BATCH])
async def test_a_condition_comes_with_any_type_of_body(
    content_type: str, text: str, wanted: int
) -> None:
    bodies = {OCTETS: b"x", NDJSON: b"{}", BATCH: build_batch([NewRecord(b"x")]).data}
    service, status, _ = await append(bodies[content_type], content_type, ("If-Last-Record", text))
    assert (status, service.appends[0].if_last_record) == (200, wanted)


async def test_without_a_condition_there_is_none() -> None:
    service, _, _ = await append(b"x")
    assert service.appends[0].if_last_record is None


@pytest.mark.parametrize("text", ["", "-1", "None", "1.0", "abc", str(2**63), "1 " + "0", "٣"])
async def test_a_malformed_condition_is_refused(text: str) -> None:
    found = await refused(400, "header_invalid", b"x", OCTETS, ("If-Last-Record", text))
    assert found["header"] == "If-Last-Record"


async def test_two_conditions_are_refused() -> None:
    twice = (("If-Last-Record", "1"), ("If-Last-Record", "2"))
    await refused(400, "header_invalid", b"x", OCTETS, *twice)


async def test_a_condition_that_does_not_hold_is_412_and_names_the_last_record() -> None:
    service = MemoryService()
    service.fault = ApiError("last_record_mismatch", "the last record is 4, not 3", last_record=4)
    async with client_listener(service) as client:
        headers = {"Content-Type": OCTETS, "If-Last-Record": "3"}
        response = await client.post("/v1/records", data=b"x", headers=headers)
        found = await problem(response, 412, "last_record_mismatch")
    assert (found["last_record"], found["outcome"], found["retryable"]) == (4, "none", False)
