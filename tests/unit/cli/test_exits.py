"""Exit codes and what is told: docs/cli.md, Exit codes."""

import asyncio
import json
import os
import re
import shlex
import signal
import sys
import threading
from pathlib import Path

import pytest

from replog.cli import exits
from replog.cli.source import Source
from replog.client import ApiError
from replog.wire.schemas import TargetStatus, Wait
from tests.unit.cli.running import process, ran
from tests.unit.client.cluster import cluster

DOCUMENT = Path(__file__).parents[3] / "docs" / "cli.md"


@pytest.fixture
def lines(tmp_path: Path) -> str:
    path = tmp_path / "lines"
    path.write_bytes(b"1\n2\n")
    return str(path)


@pytest.mark.asyncio
async def test_success_is_0_and_tells_the_offsets(lines: str) -> None:
    async with cluster(1) as made:
        found = await ran(made, "append", lines)
        assert found.code == 0 and "appended 2 records, offsets 1 to 2" in found.err
        as_json = json.loads((await ran(made, "append", lines, "--output", "json")).out)
        assert (as_json["records"], as_json["first_offset"], as_json["last_offset"]) == (2, 4, 5)


@pytest.mark.asyncio
async def test_a_refusal_is_1_with_the_code_for_programs(lines: str) -> None:
    async with cluster(1) as made:
        made.members[0].faults.append(ApiError("forbidden", "read only", permission="write"))
        found = await ran(made, "append", lines, "--output", "json")
        error = json.loads(found.err)["error"]
        assert (found.code, error["code"], error["permission"]) == (1, "forbidden", "write")


@pytest.mark.asyncio
async def test_a_missing_file_is_2_and_nothing_is_sent(lines: str, tmp_path: Path) -> None:
    async with cluster(1) as made:
        found = await ran(made, "append", lines, str(tmp_path / "none"), str(tmp_path))
        assert found.code == 2 and "nothing was appended" in found.err
        assert (
            f"no such file: {tmp_path / 'none'}; a directory, not a file: {tmp_path}" in found.err
        )
        assert made.members[0].calls == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "arguments",
    [
        ("append", "--no-such-option"),
        ("read", "--from", "yesterday"),
        ("read", "--null", "--raw"),
        ("read", "--endpoint", "nonsense"),
        ("read", "--endpoint", "127.0.0.1:70000"),
        ("read", "--endpoint", "http://127.0.0.1:7401"),
        ("read", "--timeout", "nan"),
        ("read", "--token-file", "/no/such/file"),
        ("read", "--token-file", "/dev/null"),
        ("nothing",),
    ],
    ids=str,
)
async def test_a_wrong_command_line_is_2(arguments: tuple[str, ...]) -> None:
    assert (await ran(None, *arguments)).code == 2


@pytest.mark.asyncio
async def test_an_unknown_outcome_is_3(lines: str) -> None:
    async with cluster(1) as made:
        refusal = ApiError("producer_fenced", "a newer epoch")
        made.members[0].faults.extend(["hold", "lose", refusal])
        made.members[0].held.set()
        found = await ran(made, "append", lines)
        assert found.code == 3 and "may or may not have been appended" in found.err


@pytest.mark.asyncio
async def test_nobody_there_is_4(lines: str) -> None:
    for command in (("append", lines), ("read",), ("status",), ("members",), ("why",)):
        found = await ran(None, *command, "--endpoint", "127.0.0.1:9", "--timeout", "0.2")
        assert found.code == 4 and "no member answered" in found.err, command


@pytest.mark.asyncio
async def test_not_in_time_without_effect_is_4(lines: str) -> None:
    async with cluster(1) as made:
        made.members[0].faults.extend(ApiError("no_leader", "not now") for _ in range(99))
        found = await ran(made, "append", lines, "--timeout", "0.3")
        assert found.code == 4 and found.err.startswith("nothing was acknowledged")


@pytest.mark.asyncio
async def test_ctrl_c_is_130_even_while_input_is_awaited() -> None:
    async with cluster(1) as made, process(made, "append") as started:
        assert started.stdin is not None
        started.stdin.write(b"1\n2\n")
        while len(made.log.values) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        started.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(started.wait(), 5) == 130
        assert started.stderr is not None
        assert b"acknowledged before it ended: 2 records" in await started.stderr.read()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("imported", "command"), [("click", "status"), ("yaml", "up")], ids=["itself", "a command"]
)
async def test_ctrl_c_is_130_and_quiet_while_modules_are_imported(
    tmp_path: Path, imported: str, command: str
) -> None:
    (tmp_path / f"{imported}.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from replog.cli import main; main()", command,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
    )  # fmt: skip
    told = await asyncio.wait_for(started.communicate(), 30)

    assert (started.returncode, *told) == (exits.EXIT_INTERRUPTED, b"", b"")


def test_an_end_while_more_input_waits_leaves_no_trace_of_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fell: list[object] = []
    monkeypatch.setattr(threading, "excepthook", fell.append)
    (tmp_path / "one").write_bytes(b"1")

    async def begin_and_end() -> None:
        async for _ in Source([str(tmp_path / "one")] * 20, whole=True, end=b"\n").values():
            await asyncio.sleep(0.2)  # the thread fills what may wait, and waits
            return

    asyncio.run(begin_and_end())
    for thread in threading.enumerate():
        if thread.name == "replog-input":
            thread.join(5)
    assert fell == []


@pytest.mark.asyncio
async def test_a_reader_that_leaves_is_no_fault(lines: str) -> None:
    async with cluster(1) as made:
        await ran(made, "append", lines)
        theirs, ours = os.pipe()
        os.close(theirs)
        async with process(made, "read", stdout=ours) as started:
            os.close(ours)
            _, err = await started.communicate()
            assert (started.returncode, err) == (exits.EXIT_READER_LEFT, b"")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("closed", "command"), [("<&-", "append"), (">&-", "read"), (">&-", "status")], ids=str
)
async def test_a_closed_standard_stream_is_2_and_told(closed: str, command: str) -> None:
    async with cluster(1) as made:
        code = "from replog.cli import main; main()"
        words = f"exec {closed}; exec {shlex.quote(sys.executable)} -c '{code}' {command}"
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", words, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                 "REPLOG_ENDPOINTS": made.endpoint},
        )  # fmt: skip
        _, err = await asyncio.wait_for(shell.communicate(), 30)
        assert shell.returncode == 2 and b"is closed" in err and b"Traceback" not in err
        assert made.members[0].calls == []


@pytest.mark.asyncio
async def test_what_was_acknowledged_is_told_also_when_the_output_is_full(lines: str) -> None:
    async with cluster(1) as made:
        full = os.open("/dev/full", os.O_WRONLY)
        async with process(made, "append", lines, "--output", "json", stdout=full) as started:
            os.close(full)
            _, err = await started.communicate()
        assert started.returncode == 1 and b"appended 2 records, offsets 1 to 2" in err


@pytest.mark.asyncio
async def test_status_and_why_tell_of_each_endpoint() -> None:
    async with cluster(2) as made:
        made.log.waits.append(Wait("PeerUnreachable", "a peer is away", "look", 3.0, "member-2"))
        both = f"{made.endpoint},127.0.0.1:9"
        found = await ran(None, "status", "--endpoint", both)
        rows = found.out.decode().splitlines()
        assert any("leader" in row and "PeerUnreachable" in row for row in rows), rows
        assert any("127.0.0.1:9" in row and "no answer" in row for row in rows), rows
        why = (await ran(None, "why", "--endpoint", both)).out.decode()
        assert "PeerUnreachable for 3 s: a peer is away" in why and "127.0.0.1:9: no answer" in why
        as_json = json.loads(
            (await ran(None, "status", "--output", "json", "--endpoint", both)).out
        )
        assert [seen["status"] is None for seen in as_json] == [False, False, True]


@pytest.mark.asyncio
async def test_a_membership_that_is_not_reached_is_told_beside_the_result() -> None:
    async with cluster(1) as made:
        made.log.target = TargetStatus(["member-0", "member-1"], "op", reached=False)
        found = await ran(made, "members")
    assert (found.code, found.err) == (0, "on the way to 2 members; see `replog why`\n")
    assert b"member-0" in found.out and b"on the way" not in found.out


@pytest.mark.asyncio
async def test_a_token_file_is_presented(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    async with cluster(1) as made:
        await ran(made, "members", "--token-file", str(tmp_path / "token"))
        assert set(made.members[0].tokens) == {"Bearer secret"}


@pytest.mark.asyncio
async def test_input_that_pauses_for_long_goes_on_in_a_new_session() -> None:
    async with cluster(1) as made, process(made, "append") as started:
        made.log.expires_after_ms = 200
        assert started.stdin is not None
        started.stdin.write(b"1\n")
        while not made.log.values:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.25)
        made.log.expected.clear()
        _, err = await started.communicate(b"2\n")
        assert started.returncode == 0, err
        assert made.log.values == [b"1", b"2"]


def test_the_document_has_every_exit_code() -> None:
    codes = {value for name, value in vars(exits).items() if name.startswith("EXIT_")}
    table = re.findall(r"^\| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(codes | {0}) == sorted(map(int, table))
