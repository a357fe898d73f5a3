"""Trims and snapshots by the command line, at real members."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from replog.cli.commands import main
from tests.support.processes import Cluster, ask, call, cluster, eventually


def replog(three: Cluster, *arguments: str) -> tuple[int, str, str]:
    """Run a command against the cluster: exit code, output, error output."""
    environment = {"REPLOG_ENDPOINTS": ",".join(three.endpoints)}
    result = CliRunner(env=environment).invoke(main, [*arguments, "--output", "json"])
    return result.exit_code, result.stdout, result.stderr


def snapshots(three: Cluster) -> set[int]:
    """The newest snapshot of each member."""
    return {ask("GET", node.client, "/v1/log")["snapshot_offset"] for node in three.nodes}


@pytest.mark.timeout(60)
def test_a_trim_and_a_snapshot_by_command_hold_at_every_member(tmp_path: Path) -> None:
    with cluster(tmp_path) as three:
        three.found()
        for number in range(10):
            last = ask(
                "POST", three.nodes[0].client, "/v1/records", str(number).encode(),
                headers={"Content-Type": "application/octet-stream"},
            )  # fmt: skip
        start = last["last_offset"] - 4
        code, out, _ = replog(three, "trim", "--before", str(start))
        assert code == 0 and json.loads(out)["offset"] > start
        code, out, _ = replog(three, "snapshot")
        assert code == 0
        point = json.loads(out)["offset"]
        for node in three.nodes:
            status, content = call("GET", node.client, f"/v1/records?from={start - 1}")[:2]
            problem = json.loads(content)
            assert (status, problem["code"]) == (410, "offset_trimmed")
            assert problem["log_start_offset"] == start
            for place in ("earliest", "tail:1000", "time:0"):
                page = ask("GET", node.client, f"/v1/records?from={place}")
                assert page["records"][0]["offset"] == start, place
        eventually("the snapshot is built everywhere", lambda: snapshots(three) == {point})
        code, _, error = replog(three, "trim", "--before", str(10**9))
        assert code != 0 and json.loads(error)["error"]["code"] == "offset_out_of_range"
        assert ask("GET", three.nodes[1].client, "/v1/log")["log_start_offset"] == start
