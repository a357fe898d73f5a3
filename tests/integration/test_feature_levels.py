"""Real nodes of different builds: raised once all speak it, and no way back."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from replog.cli.commands import main
from tests.support.build_node import BUILD, LEVEL_VARIABLE
from tests.support.processes import Cluster, Node, Refused, ask, cluster, eventually

EXIT_DATA = 3


def start_as(node: Node, level: int) -> None:
    """Start it, or start it again, as a build that speaks this level."""
    node.kill()
    node.env[LEVEL_VARIABLE] = str(level)
    node.start()


def replog(log: Cluster, *arguments: str) -> str:
    """What the command says, whether it succeeds or refuses."""
    environment = {"REPLOG_ENDPOINTS": ",".join(log.endpoints[:3])}
    return CliRunner(env=environment).invoke(main, arguments).output


def raise_to(log: Cluster, level: int) -> bool:
    peer = log.leader().peer
    done = ask("POST", peer, "/v1/cluster:raise-feature-level", {"feature_level": level})
    return bool(done["done"])


def levels(log: Cluster) -> list[int]:
    """What is in force, as each member knows it."""
    return [node.status()["feature_level"] for node in log.nodes[:3]]


@pytest.mark.timeout(150)
def test_an_upgrade_with_mixed_versions_and_an_unsafe_downgrade(tmp_path: Path) -> None:
    with cluster(tmp_path, 4, command=BUILD) as log:
        for node, level in zip(log.nodes, (2, 2, 1, 1), strict=True):
            start_as(node, level)
        log.found(3)
        old = log.nodes[2]
        _refused_while_one_is_old(log, old)
        start_as(old, 2)
        eventually("all speak it", lambda: raise_to(log, 2))
        eventually("all know it", lambda: levels(log) == [2, 2, 2])
        _no_way_back(log, old)
        _a_new_member_of_an_old_build_is_kept_out(log, log.nodes[3])


def _refused_while_one_is_old(log: Cluster, old: Node) -> None:
    eventually("the leader knows it", lambda: _code(log, 2) == "feature_level_unsupported")
    with pytest.raises(Refused) as refusal:
        raise_to(log, 2)
    assert old.member() in refusal.value.problem["detail"]
    assert levels(log) == [1, 1, 1]
    assert f"{old.member()} speaks up to feature level 1" in replog(log, "feature-level", "2")
    assert f"{old.member()} speaks up to 1" in replog(log, "feature-level")


def _code(log: Cluster, level: int) -> str:
    """The code of the refusal; empty if there is none."""
    try:
        raise_to(log, level)
    except Refused as refusal:
        return refusal.code
    return ""


def _no_way_back(log: Cluster, node: Node) -> None:
    assert _code(log, 1) == "feature_level_lower"
    assert raise_to(log, 2), "again, which changes nothing"
    assert replog(log, "feature-level", "2") == "the log is at feature level 2\n"
    assert replog(log, "feature-level").startswith("in force: 2\n")
    start_as(node, 1)
    assert node.wait() == EXIT_DATA
    assert "is at feature level 2 and this build speaks up to 1" in node.said()
    start_as(node, 2)
    eventually("it serves again", lambda: levels(log) == [2, 2, 2])


def _a_new_member_of_an_old_build_is_kept_out(log: Cluster, old: Node) -> None:
    member = old.member()
    members = [{"id": node.member(), "address": node.peer} for node in log.nodes]
    leader = log.leader()
    body = {
        "members": members, "operation": "four",
        "planned_from": leader.status()["configuration_offset"],
    }  # fmt: skip
    ask("POST", leader.peer, "/v1/cluster:target", body)

    def named() -> bool:
        waits = ask("GET", leader.peer, "/v1/why")["waits"]
        evidence = {wait["code"]: wait["evidence"] for wait in waits}
        return member in evidence.get("FeatureLevelUnsupported", "")

    eventually("it is named", named)
    assert old.status()["state"] == "unassigned", "it is not even adopted"
    start_as(old, 2)
    eventually("it is one of four", lambda: leader.status()["target"]["reached"])
    assert leader.status()["feature_level"] == 2
