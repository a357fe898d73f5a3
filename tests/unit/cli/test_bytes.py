"""What goes in comes out, byte for byte: files, pipes, odd ends, long lines, zero bytes."""

import asyncio
import json
from pathlib import Path

import pytest

from replog.cli.source import RECORD_BYTES_MAX
from tests.unit.cli.running import process, ran
from tests.unit.client.cluster import cluster

CONTENTS = {
    "one line": b"one\n",
    "no end": b"one\ntwo",
    "empty lines": b"\n\n\none\n\n",
    "carriage returns": b"one\r\ntwo\rthree\r\n",
    "no text": bytes(range(256)) * 3,
    "only zeros": b"\0\0\0",
    "longer than a chunk": b"x" * 1_500_000 + b"\n" + b"y" * 900_000,
    "many short": b"\n" * 200_000,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize("options", [(), ("--null",), ("--whole",), ("--gzip",)], ids=str)
async def test_read_returns_the_very_bytes(
    tmp_path: Path, content: bytes, options: tuple[str, ...]
) -> None:
    (tmp_path / "in").write_bytes(content)
    async with cluster(1) as made:
        appended = await ran(made, "append", str(tmp_path / "in"), *options)
        assert appended.code == 0, appended.err
        back = await ran(made, "read", *[option for option in options if option == "--null"])
        assert back.out == content


@pytest.mark.asyncio
async def test_several_files_follow_one_another(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2")
    (tmp_path / "b").write_bytes(b"3\n")
    async with cluster(1) as made:
        await ran(made, "append", str(tmp_path / "a"), str(tmp_path / "b"))
        assert made.log.values == [b"1", b"2", b"3"]
        assert (await ran(made, "read")).out == b"1\n23\n"


@pytest.mark.asyncio
async def test_a_pipe_is_not_held_back(tmp_path: Path) -> None:
    async with cluster(1) as made, process(made, "append") as started:
        assert started.stdin is not None
        for count in range(1, 4):
            started.stdin.write(b"%d\nhal" % count)
            await started.stdin.drain()
            while len(made.log.values) < count:
                assert started.returncode is None
                await asyncio.sleep(0.01)
        _, err = await started.communicate(b"f")
        assert started.returncode == 0, err
        assert made.log.values == [b"1", b"hal2", b"hal3", b"half"]


@pytest.mark.asyncio
async def test_a_whole_file_is_one_record(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n")
    async with cluster(1) as made:
        await ran(made, "append", "--whole", "--key", "k", str(tmp_path / "a"))
        found = json.loads((await ran(made, "read", "--output", "json")).out)
        assert (found["value"], found["key"]) == ("1\n2\n", "k")


@pytest.mark.asyncio
async def test_a_record_too_large_is_named_and_ends_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first\n" + b"x" * (RECORD_BYTES_MAX + 1))
    async with cluster(1) as made:
        found = await ran(made, "append", str(tmp_path / "a"))
        assert found.code == 1 and f"a record exceeds {RECORD_BYTES_MAX} bytes" in found.err
        assert "acknowledged before it ended: 1 records" in found.err


@pytest.mark.asyncio
async def test_the_largest_record_goes_through(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * RECORD_BYTES_MAX)
    async with cluster(1) as made:
        found = await ran(made, "append", "--key", "k" * 16_384, str(tmp_path / "a"))
        assert found.code == 0, found.err


@pytest.mark.asyncio
async def test_many_records_with_a_long_key_are_split_into_batches(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\n" * 50_000)
    async with cluster(1) as made:
        found = await ran(made, "append", "--key", "k" * 200, str(tmp_path / "a"))
        assert (found.code, len(made.log.values)) == (0, 50_000), found.err
        last = await ran(made, "read", "--from", "tail:1", "--output", "json")
        assert json.loads(last.out)["key"] == "k" * 200


@pytest.mark.asyncio
async def test_tail_shows_what_comes_as_it_comes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n")
    async with cluster(1) as made:
        await ran(made, "append", str(tmp_path / "a"))
        async with process(made, "tail", "-n", "1") as started, asyncio.timeout(10):
            assert started.stdout is not None
            assert await started.stdout.readline() == b"2\n"
            await ran(made, "append", str(tmp_path / "a"))
            assert await started.stdout.readline() == b"1\n"


@pytest.mark.asyncio
async def test_records_as_json_tell_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text\n\xff\n")
    async with cluster(1) as made:
        await ran(made, "append", str(tmp_path / "a"))
        lines = (await ran(made, "read", "--output", "json")).out.splitlines()
        text, other = map(json.loads, lines)
        assert (text["offset"], text["value"]) == (1, "text")
        assert (other["offset"], other["value_base64"]) == (2, "/w==")


@pytest.mark.asyncio
async def test_what_is_read_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n3\n4\n")
    async with cluster(1) as made:
        await ran(made, "append", str(tmp_path / "a"))
        assert (await ran(made, "read", "--from", "tail:2")).out == b"3\n4\n"
        assert (await ran(made, "read", "--from", "2", "--limit", "2")).out == b"2\n3\n"
        assert (await ran(made, "read", "--from", "latest")).out == b""
        assert (await ran(made, "read", "--raw")).out == b"1234"
        assert (await ran(made, "tail", "-F", "-n", "1")).out == b"4\n"
        assert (await ran(made, "tail", "-n", "3", "--limit", "2")).out == b"2\n3\n"
