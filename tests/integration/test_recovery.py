"""A lost majority: one member is fenced, surveyed, forced to go on, and no other is served.

Real processes and directories; what is stopped is stopped by `kill -9` or SIGSTOP.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from replog.cli.exits import EXIT_REFUSED, EXIT_USAGE
from tests.support.processes import ROOT, Cluster, Node, Refused, ask, cluster, eventually

pytestmark = pytest.mark.timeout(120)

FENCE = {"operation": "survey-1"}


def append(node: Node, *values: str) -> int:
    """Append these records one by one; the last one's offset."""
    for value in values:
        answer = ask("POST", node.client, "/v1/records", value.encode(), headers=OCTETS)
    return int(answer["last_offset"])


OCTETS = {"Content-Type": "application/octet-stream"}


def force(node: Node, survey: dict[str, Any], **changed: Any) -> Any:
    """Let this member go on alone, with what its survey said."""
    others = {*survey["voters"], *survey["outgoing"]} - {survey["member"]}
    body = {
        "operation": survey["fenced_by"], "number": survey["number"] + 1,
        "last_offset": survey["last_offset"], "chain": survey["chain"],
        "stopped": sorted(others), **changed,
    }  # fmt: skip
    return ask("POST", node.peer, "/v1/cluster:force-members", body)


def refused(node: Node, method: str, path: str, body: Any = None, **options: Any) -> str:
    """The code with which this member refuses."""
    with pytest.raises(Refused) as refusal:
        ask(method, node.client, path, body, **options)
    return refusal.value.code


def went_on(node: Node, lineage: int) -> bool:
    """Whether this member leads in a lineage of this number."""
    status = node.status()
    return bool(
        status["role"] == "leader"
        and status["admitting"]
        and status["lineage"].startswith(f"{lineage}.")
    )


def is_fenced(node: Node) -> bool:
    """Whether this member says that it is."""
    return bool(node.status()["state"] == "fenced")


def waits(node: Node) -> list[str]:
    """The codes of what this member waits for."""
    return [wait["code"] for wait in ask("GET", node.peer, "/v1/why")["waits"]]


def assert_silent(node: Node, mine: str) -> None:
    """It is fenced, says so, and serves nothing."""
    assert node.status()["state"] == "fenced"
    assert refused(node, "POST", "/v1/records", mine.encode(), headers=OCTETS) == "fenced"
    assert refused(node, "GET", "/v1/records?from=0&consistency=local") == "fenced"
    assert ask("GET", node.client, "/livez") == {"ok": True}
    assert refused(node, "GET", "/readyz?for=read") == "not_ready"
    eventually("it says why", lambda: waits(node) == ["Fenced"])


def lost_majority(made: Cluster) -> tuple[Node, list[Node], list[tuple[int, bytes]]]:
    """Three members, of which two are killed: the survivor, the others, the log's records."""
    made.found()
    append(made.leader(), *[f"before {number}" for number in range(20)])
    made.settled()
    records = made.records()
    survivor, others = made.nodes[2], made.nodes[:2]
    for node in others:
        node.kill()
    return survivor, others, records


def test_the_survivor_goes_on_alone_and_the_others_come_back_to_nothing(tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        survivor, others, records = lost_majority(made)
        survey = ask("POST", survivor.peer, "/v1/cluster:fence", FENCE)
        assert (survey["fenced_by"], survey["number"], survey["whole"]) == ("survey-1", 1, True)
        assert_silent(survivor, "x")

        done = force(survivor, survey)
        eventually("the survivor leads", lambda: went_on(survivor, 2))
        assert survivor.status()["configuration_offset"] == done["offset"]
        assert made.records(survivor) == records
        assert force(survivor, survey) == done
        append(survivor, "after")
        assert made.records(survivor)[:-1] == records

        for node in others:
            node.start()
        for node in others:
            eventually("it hears", partial(is_fenced, node))
            assert_silent(node, "never")
            node.kill()
        assert [m["id"] for m in survivor.status()["members"]] == [survivor.member()]
        assert survivor.status()["role"] == "leader"


def test_a_fence_holds_over_restarts_until_it_is_lifted(tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        survivor, others, _ = lost_majority(made)
        survey = ask("POST", survivor.peer, "/v1/cluster:fence", FENCE)
        survivor.kill()
        survivor.start()
        survivor.member()
        assert_silent(survivor, "x")
        again = ask("POST", survivor.peer, "/v1/cluster:fence", FENCE)
        assert again == survey

        for node in others:
            node.start()
        made.leader()
        assert_silent(survivor, "x")

        ask("POST", survivor.peer, "/v1/cluster:unfence", FENCE)
        append(made.leader(), "together again")
        made.settled()
        assert survivor.status()["state"] == "member"


def test_members_that_run_on_are_fenced_as_soon_as_they_hear(tmp_path: Path) -> None:
    """They are a majority of the former life, and are told by nobody but the survivor."""
    with cluster(tmp_path) as made:
        made.found()
        append(made.leader(), *[f"before {number}" for number in range(20)])
        made.settled()
        survivor, others = made.nodes[2], made.nodes[:2]
        for node in others:
            node.signal(signal.SIGSTOP)
        force(survivor, ask("POST", survivor.peer, "/v1/cluster:fence", FENCE))
        eventually("the survivor leads", lambda: went_on(survivor, 2))
        append(survivor, "after")
        records = made.records(survivor)

        with appending(others) as acknowledged_s:
            for node in others:
                node.signal(signal.SIGCONT)
            assert_fenced(others, acknowledged_s)
        assert made.records(survivor) == records
        for node in others:  # also when nobody tells it again
            node.kill()
        survivor.kill()
        for node in others:
            node.start()
            node.member()
            assert_silent(node, "never")
        survivor.start()
        eventually("the survivor leads", lambda: went_on(survivor, 2))
        assert made.records(survivor) == records


def test_a_majority_that_runs_on_is_fenced_by_the_lineage_file(tmp_path: Path) -> None:
    """The survivor has gone on, and can't tell them."""
    file = tmp_path / "lineage"
    with cluster(tmp_path, env={"REPLOG_LINEAGE_FILE": str(file)}) as made:
        made.found()
        append(made.leader(), "before")
        made.settled()
        survivor, others = made.nodes[2], made.nodes[:2]
        for node in others:
            node.signal(signal.SIGSTOP)
        force(survivor, ask("POST", survivor.peer, "/v1/cluster:fence", FENCE))
        eventually("the survivor leads", lambda: went_on(survivor, 2))
        survivor.signal(signal.SIGSTOP)

        with appending(others) as acknowledged_s:
            for node in others:
                node.signal(signal.SIGCONT)
            eventually("the former majority goes on", lambda: len(acknowledged_s) > 5)
            file.write_text("2")
            assert_fenced(others, acknowledged_s)


def assert_fenced(nodes: Sequence[Node], acknowledged_s: Sequence[float]) -> None:
    """All of them are fenced soon, and from then on nothing that they take is acknowledged."""
    for node in nodes:
        eventually("it hears", partial(is_fenced, node))
    fenced_s = time.monotonic()
    for node in nodes:
        assert_silent(node, "never")
    time.sleep(0.5)
    assert all(at_s <= fenced_s for at_s in acknowledged_s)


@contextmanager
def appending(nodes: Sequence[Node]) -> Iterator[list[float]]:
    """Append through these members all the time; when something was acknowledged."""
    acknowledged_s: list[float] = []
    ended = Event()

    def run() -> None:
        headers = {**OCTETS, "Replog-Timeout-Ms": "500"}
        for node in cycle(nodes):
            if ended.is_set():
                return
            with suppress(Refused, OSError):
                ask("POST", node.client, "/v1/records", b"late", headers=headers, timeout_s=2)
                acknowledged_s.append(time.monotonic())

    thread = Thread(target=run)
    thread.start()
    try:
        yield acknowledged_s
    finally:
        ended.set()
        thread.join()


def test_new_members_join_the_log_that_went_on(tmp_path: Path) -> None:
    """Those that were lost come back with empty directories."""
    with cluster(tmp_path) as made:
        survivor, others, records = lost_majority(made)
        force(survivor, ask("POST", survivor.peer, "/v1/cluster:fence", FENCE))
        eventually("the survivor leads", lambda: went_on(survivor, 2))
        append(survivor, "after")
        for node in others:
            shutil.rmtree(node.directory)
            node.start()
        made.retarget(made.nodes)
        made.settled()
        append(made.leader(), "three again")
        assert made.records()[: len(records)] == records
        assert {node.status()["lineage"] for node in made.nodes} == {survivor.status()["lineage"]}
        survivor.kill()
        append(made.leader(), "without it")


def test_the_lineage_file_fences_whoever_hears_of_nothing(tmp_path: Path) -> None:
    file = tmp_path / "lineage"
    with cluster(tmp_path, 1, env={"REPLOG_LINEAGE_FILE": str(file)}) as made:
        made.found()
        node = made.nodes[0]
        append(node, "before")
        for nothing in ("", "1\n", "nonsense"):
            file.write_text(nothing)
            append(node, "still")
        file.write_text("2\n")
        eventually("it is fenced", partial(is_fenced, node))
        assert_silent(node, "never")
        node.kill()
        node.start()
        node.member()
        assert_silent(node, "never")

        force(node, ask("POST", node.peer, "/v1/cluster:fence", FENCE))
        eventually("it goes on", lambda: went_on(node, 2))
        append(node, "after")


def replog(made: Cluster, *arguments: str) -> tuple[int, str]:
    """Run `replog recover` against all peer listeners; its exit code, and all that it said."""
    command = [
        sys.executable, "-c", "from replog.cli import main; main()", "recover",
        "--peer-endpoint", ",".join(node.peer for node in made.nodes), *arguments,
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT / "node")}
    ended = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def test_two_commands_recover_a_log(tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        made.found()
        assert replog(made)[0] == EXIT_REFUSED
        assert "takes appends" in replog(made)[1]
        made.nodes[0].kill()
        made.leader()
        code, said = replog(made)
        assert code == EXIT_REFUSED, said

        survivor, others = made.nodes[2], made.nodes[:2]
        ids = {node.directory: node.member() for node in made.nodes[1:]}
        made.nodes[1].kill()
        eventually("it leads no more", lambda: survivor.status()["role"] != "leader")
        code, said = replog(made)
        assert code == 0 and f"{ids[survivor.directory]} has the most" in said, said
        command = next(line.split()[2:] for line in said.splitlines() if "--stopped" in line)
        assert ids[others[1].directory] in command[1]
        assert replog(made)[1] == said, "asked again"

        assert replog(made, "--cancel")[0] == 0
        eventually("it takes part again", lambda: survivor.status()["state"] == "member")
        code, said = replog(made, *command)
        assert code == EXIT_REFUSED and "is fenced" in said

        assert replog(made)[0] == 0
        assert replog(made, "--stopped", command[1])[0] == EXIT_USAGE
        assert replog(made, "--stopped", command[1].split(",")[0], "--yes")[0] == EXIT_REFUSED
        code, said = replog(made, *command)
        assert code == 0 and "goes on alone" in said
        assert went_on(survivor, 2)
