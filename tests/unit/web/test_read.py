"""GET /v1/records: where a page begins and ends, its forms, and waiting."""

import asyncio
import itertools
import json
from typing import Any

import pytest

from replog.wire.batches import NewRecord, build_batch, records_of
from replog.wire.problems import ApiError
from replog_node.frames.decode import data_batches, decode_entry, follows
from replog_node.web.service import LOCAL, Consistency
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import Client, batch, client_listener, problem

pytestmark = pytest.mark.asyncio

BATCHES = "application/vnd.replog.batches"
FRAMES = "application/vnd.replog.frames"
VALUES = "application/octet-stream"


def filled() -> MemoryService:
    """Offsets: 0 control, 1-3 a b c, 4 control, 5-6 d e, 7 control."""
    service = MemoryService()
    service.put_control()
    service.put(batch=batch(b"a", b"b", b"c"))
    service.put_control()
    service.put(batch=batch(b"d", b"e"))
    service.put_control()
    return service


async def page(client: Client, query: str) -> tuple[list[int], str, int]:
    """(offsets, values, next offset) of a page, after checking that headers and body agree."""
    response = await client.get(f"/v1/records?{query}")
    body = await response.json()
    assert response.status == 200, body
    assert response.headers["Replog-Next-Offset"] == str(body["next_offset"])
    assert response.headers["Replog-End-Offset"] == str(body["end_offset"])
    assert response.headers["Replog-Log-Start-Offset"] == str(body["log_start_offset"])
    records = body["records"]
    values = "".join(record["value"] for record in records)
    return [record["offset"] for record in records], values, body["next_offset"]


@pytest.mark.parametrize(
    ("query", "offsets", "values", "following"),
    [
        ("", [1, 2, 3, 5, 6], "abcde", 8),
        ("from=earliest", [1, 2, 3, 5, 6], "abcde", 8),
        ("from=0&limit=1", [1], "a", 2),
        ("from=2&limit=2", [2, 3], "bc", 4),
        ("from=2&limit=3", [2, 3, 5], "bcd", 6),
        ("from=4", [5, 6], "de", 8),
        ("from=6", [6], "e", 8),
        ("from=7", [], "", 8),
        ("from=8", [], "", 8),
        ("from=latest", [], "", 8),
        ("from=tail:0", [], "", 8),
        ("from=tail:1", [6], "e", 8),
        ("from=tail:3", [3, 5, 6], "cde", 8),
        ("from=tail:99", [1, 2, 3, 5, 6], "abcde", 8),
        ("from=tail:1000000", [1, 2, 3, 5, 6], "abcde", 8),
        ("max_bytes=3", [1, 2, 3], "abc", 5),
    ],
)
async def test_a_page_begins_and_ends_where_it_should(
    query: str, offsets: list[int], values: str, following: int
) -> None:
    async with client_listener(filled()) as client:
        if query == "max_bytes=3":
            query = "from=1&max_bytes=3"
            following = 4

        assert await page(client, query) == (offsets, values, following)


async def test_a_page_ends_by_bytes_gone_through_also_without_records() -> None:
    service = MemoryService()
    for _ in range(40):
        service.put_control()
    size = service.kept[0].size_bytes
    service.put(batch=batch(b"a"))
    async with client_listener(service) as client:
        assert await page(client, f"max_bytes={size * 10}") == ([], "", 10)
        assert await page(client, f"from=10&max_bytes={size * 31}") == ([40], "a", 41)


async def test_following_next_offset_reads_everything_once() -> None:
    service = filled()
    async with client_listener(service) as client:
        at, seen = 0, ""
        while at < 8:
            _, values, following = await page(client, f"from={at}&limit=1")
            assert following > at
            at, seen = following, seen + values

    assert seen == "abcde"


async def test_one_small_page_does_not_ask_for_a_megabyte() -> None:
    service = filled()
    async with client_listener(service) as client:
        await page(client, "from=1&limit=1")

    assert service.asked_bytes == [16 * 1024]


async def test_lines_of_json_hold_one_record_each() -> None:
    async with client_listener(filled()) as client:
        response = await client.get(
            "/v1/records?from=3&limit=2", headers={"Accept": "application/x-ndjson"}
        )
        text = await response.text()

    assert response.content_type == "application/x-ndjson"
    assert response.headers["Replog-Next-Offset"] == "6"
    assert [(r["offset"], r["value"]) for r in map(json.loads, text.splitlines())] == [
        (3, "c"),
        (5, "d"),
    ]


async def test_raw_batches_are_the_stored_bytes_of_every_batch_in_the_range() -> None:
    service = filled()
    stored = [bytes(found) for entry in service.kept for found in data_batches(entry)]
    async with client_listener(service) as client:
        for query, wanted, following in (
            ("from=0", b"".join(stored), 8),
            ("from=2&limit=1", stored[0], 4),
            ("from=3&limit=2", b"".join(stored), 7),
            ("from=5", stored[1], 8),
            ("from=7", b"", 8),
        ):
            response = await client.get(f"/v1/records?{query}", headers={"Accept": BATCHES})

            assert (await response.read(), response.content_type) == (wanted, BATCHES)
            assert response.headers["Replog-Next-Offset"] == str(following)
    assert [record.offset for record in records_of(stored[1])] == [5, 6]


async def test_what_is_not_text_comes_as_base64() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        await client.post(
            "/v1/records",
            data=b"\xff",
            headers={
                "Content-Type": "application/octet-stream",
                "Replog-Key": "%FE",
                "Replog-Header": "h=%C3%A9",
                "Replog-Timestamp-Ms": "9",
            },
        )
        answer = await (await client.get("/v1/records")).json()

    assert answer["records"] == [
        {
            "offset": 0,
            "timestamp_ms": 9,
            "value_base64": "/w==",
            "key_base64": "/g==",
            "headers": [["h", "é"]],
        }
    ]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/json;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("application/json;q=0, */*", "application/x-ndjson"),
        ("APPLICATION/VND.REPLOG.BATCHES", BATCHES),
    ],
)
async def test_the_form_is_negotiated(accept: str, content_type: str) -> None:
    async with client_listener(filled()) as client:
        response = await client.get("/v1/records", headers={"Accept": accept})

        assert (response.status, response.content_type) == (200, content_type)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "*/*;q=x", "a/b," * 400])
async def test_a_form_that_does_not_exist_is_refused(accept: str) -> None:
    async with client_listener(filled()) as client:
        response = await client.get("/v1/records", headers={"Accept": accept})
        found = await problem(response, 406, "not_acceptable")

    assert found["supported"] == [
        "application/json", "application/x-ndjson", BATCHES, VALUES, FRAMES,
        "text/event-stream",
    ]  # fmt: skip


async def test_an_offset_beyond_the_end_tells_the_end() -> None:
    async with client_listener(filled()) as client:
        for query in ("from=9", "from=9223372036854775807", "from=9&wait_ms=1000"):
            found = await problem(
                await client.get(f"/v1/records?{query}"), 416, "offset_out_of_range"
            )

            assert found["end_offset"] == 8


async def test_an_offset_below_the_start_tells_the_start() -> None:
    service = filled()
    service.log_start = 4
    async with client_listener(service) as client:
        found = await problem(await client.get("/v1/records?from=3"), 410, "offset_trimmed")

        assert found["log_start_offset"] == 4
        assert await page(client, "from=earliest") == ([5, 6], "de", 8)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("from=-1", "from"),
        ("from=1.5", "from"),
        ("from=9223372036854775808", "from"),
        ("from=", "from"),
        ("from=tail:", "from"),
        ("from=tail:-1", "from"),
        ("from=tail:1000001", "from"),
        ("from=soon", "from"),
        ("from=%D9%A1", "from"),
        ("from=" + "1" * 5000, "from"),
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=x", "limit"),
        ("max_bytes=0", "max_bytes"),
        ("max_bytes=4194305", "max_bytes"),
        ("wait_ms=-1", "wait_ms"),
        ("wait_ms=60001", "wait_ms"),
        ("consistency=strong", "consistency"),
        ("consistency=bounded", "consistency"),
        ("consistency=bounded:500", "consistency"),
        ("consistency=bounded:0ms", "consistency"),
        ("consistency=bounded:-5ms", "consistency"),
        ("consistency=bounded:600001ms", "consistency"),
        ("consistency=bounded:msms", "consistency"),
        ("from=time:", "from"),
        ("from=time:-1", "from"),
        ("from=when:1", "from"),
        ("from=:1", "from"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_parameter_out_of_its_range_is_named(query: str, named: str) -> None:
    async with client_listener(filled()) as client:
        found = await problem(await client.get(f"/v1/records?{query}"), 400, "parameter_invalid")

    assert (found["parameter"], found["outcome"]) == (named, "none")


async def test_unknown_parameters_are_all_named() -> None:
    async with client_listener(filled()) as client:
        found = await problem(
            await client.get("/v1/records?limt=1&form=2&limit=3"), 400, "parameter_unknown"
        )

    assert found["parameters"] == ["form", "limt"]


async def test_a_local_read_tells_how_stale_it_may_be() -> None:
    async with client_listener(filled()) as client:
        local = await client.get("/v1/records?consistency=local")
        linearizable = await client.get("/v1/records")

    assert local.headers["Replog-Staleness-Ms"] == "12"
    assert "Replog-Staleness-Ms" not in linearizable.headers


async def waiting(client: Client, query: str) -> "asyncio.Task[tuple[list[int], str, int]]":
    """A read that has begun to wait."""
    task = asyncio.create_task(page(client, query))
    await asyncio.sleep(0.05)
    assert not task.done()
    return task


async def test_a_wait_ends_with_the_first_record() -> None:
    service = filled()
    async with client_listener(service) as client:
        task = await waiting(client, "from=latest&wait_ms=5000")
        service.put(batch=batch(b"f"))

        assert await asyncio.wait_for(task, 1) == ([8], "f", 9)


async def test_a_control_record_does_not_end_a_wait_and_is_read_past() -> None:
    service = filled()
    async with client_listener(service) as client:
        task = await waiting(client, "from=latest&wait_ms=5000")
        service.put_control()
        await asyncio.sleep(0.05)
        assert not task.done()
        service.put(batch=batch(b"f"))

        assert await asyncio.wait_for(task, 1) == ([9], "f", 10)


async def test_a_wait_without_records_ends_in_time_with_an_empty_page() -> None:
    async with client_listener(filled()) as client:
        began = asyncio.get_running_loop().time()
        found = await page(client, "from=latest&wait_ms=80")
        lasted_s = asyncio.get_running_loop().time() - began

    assert found == ([], "", 8)
    assert 0.07 <= lasted_s < 1


async def test_records_that_are_there_end_no_wait_because_there_is_none() -> None:
    async with client_listener(filled()) as client:
        found = await asyncio.wait_for(page(client, "from=5&wait_ms=60000"), 1)

    assert found == ([5, 6], "de", 8)


async def test_the_bounds_of_the_log() -> None:
    service = filled()
    async with client_listener(service) as client:
        answer: dict[str, Any] = await (await client.get("/v1/log?consistency=local")).json()
        found = await problem(await client.get("/v1/log?x=1"), 400, "parameter_unknown")

    assert (answer["end_offset"], answer["log_start_offset"], service.calls) == (8, 0, [LOCAL])
    assert found["parameters"] == ["x"]


async def test_a_bound_reaches_the_service_and_its_age_the_reader() -> None:
    service = filled()
    async with client_listener(service) as client:
        response = await client.get("/v1/records?consistency=bounded:500ms")
        await client.get("/v1/log?consistency=bounded:600000ms")

    assert response.headers["Replog-Staleness-Ms"] == "12"
    assert service.views == [Consistency(bound_ms=500)]
    assert service.calls[-1] == Consistency(bound_ms=600_000)


async def test_a_read_that_is_too_stale_is_refused_with_its_age() -> None:
    service = filled()
    service.fault = ApiError("read_too_stale", "too old", staleness_ms=700)
    async with client_listener(service) as client:
        response = await client.get("/v1/records?consistency=bounded:500ms")
        found = await problem(response, 412, "read_too_stale")

    assert (found["staleness_ms"], found["outcome"]) == (700, "none")


@pytest.mark.parametrize(("time_ms", "offsets"), [(1000, [1, 2, 3, 5, 6]), (0, [1, 2, 3, 5, 6])])
async def test_a_read_from_a_time_begins_with_what_was_appended_then(
    time_ms: int, offsets: list[int]
) -> None:
    async with client_listener(filled()) as client:
        found, _, _ = await page(client, f"from=time:{time_ms}")
        after, _, following = await page(client, "from=time:1001")

    assert found == offsets
    assert (after, following) == ([], 8)


async def test_frames_come_as_stored_and_prove_each_other() -> None:
    service = filled()
    async with client_listener(service) as client:
        response = await client.get("/v1/records?from=2&limit=3", headers={"Accept": FRAMES})
        body = await response.read()

    assert body == b"".join(entry.frame for entry in service.kept[1:4])
    assert response.headers["Replog-Next-Offset"] == "7"
    found = [decode_entry(entry.frame) for entry in service.kept[1:4]]
    assert all(follows(one.chain, two) for one, two in itertools.pairwise(found))


async def test_values_alone_come_directly_one_after_the_other() -> None:
    service = filled()
    service.put(batch=build_batch([NewRecord(None), NewRecord(b""), NewRecord(b"\xff\n")]))
    async with client_listener(service) as client:
        for query, wanted, following in (
            ("from=0", b"abcde\xff\n", 11),
            ("from=2&limit=2", b"bc", 4),
            ("from=1&max_bytes=2", b"ab", 3),
            ("from=8&limit=2", b"", 10),
            ("from=11", b"", 11),
        ):
            response = await client.get(f"/v1/records?{query}", headers={"Accept": VALUES})

            assert (await response.read(), response.content_type) == (wanted, VALUES)
            assert response.headers["Replog-Next-Offset"] == str(following)
            assert response.headers["Replog-End-Offset"] == "11"
