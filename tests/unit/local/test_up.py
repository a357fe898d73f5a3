"""`replog up` as a whole: what it refuses, and one life of a log of real nodes."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from replog.cli.exits import Failure
from replog.client import ApiError, Appender, Client, Unavailable, read
from replog.wire.schemas import ClusterStatus
from replog_operator.local.command import resource_of, up
from replog_operator.local.directory import held, taken
from replog_operator.local.followed import new_resource, read_resource
from replog_operator.local.notes import ClaimNote, State, Template, WorkloadNote
from replog_operator.local.settings import UpSettings, node_environment
from replog_operator.local.spec import LocalSpec
from replog_operator.local.state import StateFile
from replog_operator.local.template import wanted_template
from tests.support.processes import process_of

PORTS = range(20_000, 29_000)
SECRET = "a-secret-of-the-test"


def _free_port(count: int) -> int:
    """The first of some ports that are free now."""
    while True:
        port = random.choice(PORTS)
        if not taken([("127.0.0.1", port + index) for index in range(count)]):
            return port


def _refused(tmp_path: Path, *arguments: str) -> Result:
    from replog.cli.commands import main

    main.add_command(up)
    return CliRunner().invoke(main, ["up", "--data-dir", str(tmp_path / "data"), *arguments])


def test_ports_in_use_are_all_named_and_nothing_is_started(tmp_path: Path) -> None:
    port = _free_port(6)
    with (
        socket.create_server(("127.0.0.1", port + 1)),
        socket.create_server(("127.0.0.1", port + 3)),
    ):
        found = _refused(tmp_path, "--client-port", str(port), "--peer-port", str(port + 3))
    assert found.exit_code == 1
    assert f"127.0.0.1:{port + 1}, 127.0.0.1:{port + 3}; is the log running?" in found.stderr
    assert not (tmp_path / "data" / "member-0").exists()


def test_a_directory_in_use_is_named_with_its_user(tmp_path: Path) -> None:
    with held(tmp_path / "data"):
        found = _refused(tmp_path)
    assert found.exit_code == 1 and f"process {os.getpid()}" in found.stderr


def test_a_directory_that_remembers_nothing_keeps_as_many_members_as_it_has(tmp_path: Path) -> None:
    for ordinal in (0, 3):
        (tmp_path / f"member-{ordinal}").mkdir()
    spec = read_resource(resource_of(tmp_path, None, None, None))
    assert (spec.replicas, spec.allow_even) == (4, True)


def test_the_file_that_was_followed_last_is_followed_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    state = State("uid", str(file), 1, 2)
    with pytest.raises(Failure, match="is gone: name one with -f"):
        resource_of(tmp_path, None, state, None)
    file.write_text(new_resource("mine", 5))
    assert resource_of(tmp_path, None, state, None) == file


def test_ports_of_members_that_were_removed_are_nobody_s_business(tmp_path: Path) -> None:
    """3, 5, 3 members with ports for three: what is left of member-4 hinders no start."""
    port, data = _free_port(6), tmp_path / "data"
    (data / "member-4").mkdir(parents=True)
    state = State(
        "uid", "log.yaml", port, port + 3, workload=WorkloadNote("w", 3, "t"),
        templates={"t": Template(("node",))}, claims={4: ClaimNote("c", retired=True)},
    )  # fmt: skip
    StateFile(data, state).save(state)
    (data / "log.yaml").write_text("no resource")
    found = _refused(tmp_path, "--client-port", str(port), "--peer-port", str(port + 3))
    assert "overlap" not in found.stderr and "can't be followed" in found.stderr
    (data / "log.yaml").write_text(new_resource("mine", 3))
    with socket.create_server(("127.0.0.1", port)):
        found = _refused(tmp_path, "--client-port", str(port), "--peer-port", str(port + 3))
    assert found.exit_code == 1 and f"in use already: 127.0.0.1:{port};" in found.stderr


def test_a_copy_does_not_follow_the_original_s_resource(tmp_path: Path) -> None:
    state = State("uid", "log.yaml", 1, 2, place="/elsewhere")
    assert resource_of(tmp_path, None, state, None) == tmp_path / "log.yaml"


def test_a_copy_is_refused_while_somebody_answers_at_the_original_s_ports(tmp_path: Path) -> None:
    port, data = _free_port(12), tmp_path / "data"
    data.mkdir()
    workload = WorkloadNote("w", 3, "t")
    state = State(
        "uid", "log.yaml", port, port + 6, place="/elsewhere", workload=workload,
        templates={"t": Template(("node",))},
    )  # fmt: skip
    StateFile(data, state).save(state)
    with socket.create_server(("127.0.0.1", port + 1)):
        found = _refused(tmp_path, "--client-port", str(port + 3), "--peer-port", str(port + 9))
    assert found.exit_code == 1
    assert "the same members would run twice and records would be lost" in found.stderr


def test_faults_of_the_file_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "log.yaml").write_text("kind: Pod\nspec: {replicas: 4}\n")
    found = _refused(tmp_path, "-f", str(tmp_path / "log.yaml"))
    assert found.exit_code == 2
    for field in ("apiVersion", "kind", "metadata", "spec.replicas"):
        assert f"  {field}: " in found.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--replicas", "2"), "--replicas: 2 members tolerate no more failures than 1"),
        (("--client-port", "7400", "--peer-port", "7402"), "these overlap"),
        (("--client-port", "65534"), "the highest is 65535"),
    ],
    ids=str,
)
def test_numbers_that_can_not_be_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    found = _refused(tmp_path, *arguments)
    assert found.exit_code == 2 and told in found.stderr


@pytest.mark.parametrize("second", ["[read]", "5", "{admin: 1}", "admin"])
def test_a_token_file_without_a_token_to_use_is_refused(tmp_path: Path, second: str) -> None:
    (tmp_path / "tokens").write_text(
        "- {token_sha256: ab, permissions: [admin]}\n"
        f"- {{token: a-secret-of-readers, permissions: {second}}}\n"
    )
    found = _refused(tmp_path, "--token-file", str(tmp_path / "tokens"))
    assert found.exit_code == 2 and "permission `admin`" in found.stderr


def test_a_member_is_told_where_it_listens_and_who_else_there_is() -> None:
    settings = UpSettings(data_dir=Path("/d"), client_port=100, peer_port=200)
    spec = LocalSpec(settings={"segment_bytes": 4096})
    template = wanted_template(spec, {"REPLOG_NODE_COMMAND": "node --x"})
    assert settings.command(1, template, 2) == [
        "node", "--x", "--data-dir", "/d/member-1", "--client-address", "127.0.0.1:101",
        "--peer-address", "127.0.0.1:201", "--seed-peer", "127.0.0.1:200",
        "--segment-bytes", "4096",
    ]  # fmt: skip


def test_what_the_resource_names_wins_over_the_environment() -> None:
    named = LocalSpec(node_command="/other/python -m replog_node")
    assert wanted_template(named, {"REPLOG_NODE_COMMAND": "node --x"}).program[0] == "/other/python"


def test_files_where_the_command_runs_are_no_modules_of_the_node(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('taken for the module')")
    ended = subprocess.run(
        [*wanted_template(LocalSpec(), {}).program, "--help"],
        cwd=tmp_path, env=node_environment(os.environ), capture_output=True, timeout=60, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


@pytest.mark.asyncio
async def test_it_stops_when_whoever_read_its_output_has_left(tmp_path: Path) -> None:
    port = _free_port(12)
    theirs, ours = os.pipe()
    os.close(theirs)
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from replog.cli.commands import main\n"
        "from replog_operator.local.command import up\nmain.add_command(up)\nmain()",
        "up", "--data-dir", str(tmp_path / "data"), "--replicas", "1", "--client-port", str(port),
        "--peer-port", str(port + 10), stdout=ours, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    os.close(ours)
    _, err = await asyncio.wait_for(started.communicate(), 30)
    assert (started.returncode, err) == (141, b"")
    assert not taken([("127.0.0.1", port), ("127.0.0.1", port + 10)])


@asynccontextmanager
async def _running(
    data: Path, port: int, replicas: int = 3, *options: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`replog up` that takes appends; it is asked to stop at the end and must do so cleanly."""
    paths = os.pathsep.join(path for path in sys.path if path)
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from replog.cli.commands import main\n"
        "from replog_operator.local.command import up\nmain.add_command(up)\nmain()",
        "up", "--data-dir", str(data), "--replicas", str(replicas), "--client-port", str(port),
        "--peer-port", str(port + 10), *options,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert started.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(30):
            while b"ready: " not in said:
                line = await started.stdout.readline()
                assert line, said.decode()
                said += line
        yield started
        started.send_signal(signal.SIGTERM)
        rest, _ = await asyncio.wait_for(started.communicate(), 30)
        assert (started.returncode, b"stopped; the data stays" in rest) == (0, True), said + rest
        assert b"killed" not in rest.partition(b"stopping")[2].replace(b"once more kills", b"")
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def _values(client: Client) -> list[bytes | None]:
    return [record.value async for page in read(client) for record in page.records]


@pytest.mark.asyncio
async def test_a_log_survives_deaths_stops_cleanly_and_grows(tmp_path: Path) -> None:
    port = _free_port(20)
    async with Client([f"127.0.0.1:{port + index}" for index in range(3)]) as client:
        async with _running(tmp_path / "data", port):
            appender = await Appender.begin(client)
            await appender.append_value(b"first")
            leader = await _leader(client)
            os.kill(_process_of(tmp_path / "data", leader), signal.SIGKILL)
            await appender.append_value(b"second")
        async with _running(tmp_path / "data", port, 5):
            assert await _values(client) == [b"first", b"second"]
            known = await client.status(f"127.0.0.1:{port + 4}")
            assert len(known.members) == 5 and known.state == "member"


@pytest.mark.asyncio
async def test_a_member_that_loses_its_directory_is_replaced_while_it_runs(tmp_path: Path) -> None:
    port = _free_port(20)
    data = tmp_path / "data"
    async with (
        Client([f"127.0.0.1:{port + index}" for index in range(3)]) as client,
        _running(data, port),
    ):
        await (await Appender.begin(client)).append_value(b"kept")
        lost = (await _leader(client) + 1) % 3
        endpoint = client.transport.endpoints[lost]
        before = await client.status(endpoint)
        process = _process_of(data, lost)
        (data / f"member-{lost}").rename(tmp_path / "lost")
        os.kill(process, signal.SIGKILL)
        after = await _member_again(client, endpoint)
        assert after.member != before.member
        assert await _values(client) == [b"kept"]


@pytest.mark.asyncio
async def test_a_member_that_lost_its_vote_is_replaced_by_a_new_one_and_kept(
    tmp_path: Path,
) -> None:
    port = _free_port(20)
    data = tmp_path / "data"
    async with (
        Client([f"127.0.0.1:{port + index}" for index in range(3)]) as client,
        _running(data, port),
    ):
        await (await Appender.begin(client)).append_value(b"kept")
        lost = (await _leader(client) + 1) % 3
        endpoint = client.transport.endpoints[lost]
        before = await client.status(endpoint)
        directory = data / f"member-{lost}"
        process = _process_of(data, lost)
        os.kill(process, signal.SIGSTOP)
        for name in ("hardstate.a", "hardstate.b"):
            (directory / name).write_bytes(b"rot" * 100)
        os.kill(process, signal.SIGKILL)
        kept = directory.with_name(f"{directory.name}.retired-1")
        async with asyncio.timeout(20):
            while not kept.exists():
                await asyncio.sleep(0.05)
        after = await _member_again(client, endpoint)
        assert after.member != before.member
        assert await _values(client) == [b"kept"]
        assert (kept / "identity").exists() and (kept / "hardstate.a").exists()


async def _member_again(client: Client, endpoint: str) -> ClusterStatus:
    """What a member that was killed says, once it belongs to a settled log of three."""
    async with asyncio.timeout(30):
        while True:
            try:
                known = await client.status(endpoint)
            except (ApiError, Unavailable):
                continue
            voters = [member.id for member in known.members if member.role == "voter"]
            if len(voters) == 3 and known.member in voters and not known.joint:
                return known
            await asyncio.sleep(0.1)


async def _leader(client: Client) -> int:
    """The index of the member that leads."""
    for index, endpoint in enumerate(client.transport.endpoints):
        known: ClusterStatus = await client.status(endpoint)
        if known.role == "leader":
            return index
    raise AssertionError("nobody leads")


def _process_of(data: Path, index: int) -> int:
    """The process that keeps this member's data."""
    found = process_of(data / f"member-{index}")
    assert found is not None, f"no process of member-{index}"
    return found


@pytest.mark.asyncio
async def test_tokens_hold_for_every_member(tmp_path: Path) -> None:
    port = _free_port(20)
    token = {"token": SECRET, "permissions": ["read", "write", "admin", "peer"]}
    (tmp_path / "tokens").write_text(json.dumps([token]))
    options = ("--token-file", str(tmp_path / "tokens"))
    async with (
        _running(tmp_path / "data", port, 1, *options),
        Client([f"127.0.0.1:{port}"], token=SECRET) as client,
    ):
        assert await _values(client) == []
