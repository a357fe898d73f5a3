"""`replog bench` and `replog completion`."""

import asyncio
import json

import pytest

from tests.unit.cli.running import ran
from tests.unit.client.cluster import cluster


@pytest.mark.asyncio
async def test_what_bench_counts_is_what_the_log_has() -> None:
    async with cluster() as made:
        done = await ran(
            made, "bench", "--callers", "20", "--seconds", "0.5", "--size", "10", "--output", "json"
        )
        told = json.loads(done.out)
        assert done.code == 0, done.err
        assert told["calls"] + 1 == len(made.log.values)  # one before the clock runs
        assert {len(value or b"") for value in made.log.values} == {10}
        assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["longest_ms"]
        assert told["per_second"] == pytest.approx(told["calls"] / told["seconds"], rel=0.02)


@pytest.mark.asyncio
async def test_bench_reads_without_writing() -> None:
    async with cluster() as made:
        done = await ran(made, "bench", "--read", "--callers", "3", "--seconds", "0.3")
        assert done.code == 0 and b"reads by 3 callers" in done.out
        assert made.log.values == []


@pytest.mark.asyncio
async def test_nonsense_is_refused_before_anything_is_sent() -> None:
    async with cluster() as made:
        for arguments in (("--callers", "0"), ("--size", "-1"), ("--seconds", "x")):
            assert (await ran(made, "bench", *arguments)).code == 2
        assert made.members[0].calls == []


@pytest.mark.asyncio
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_writes_a_script_for_the_shell(shell: str) -> None:
    done = await ran(None, "completion", shell)
    assert done.code == 0 and b"_REPLOG_COMPLETE" in done.out


@pytest.mark.asyncio
async def test_bash_takes_its_script() -> None:
    script = (await ran(None, "completion", "bash")).out
    bash = await asyncio.create_subprocess_exec("bash", "-n", stdin=asyncio.subprocess.PIPE)
    await bash.communicate(script)
    assert bash.returncode == 0
