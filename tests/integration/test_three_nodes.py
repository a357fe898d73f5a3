"""Three real processes: the shortest way through the whole system."""

from pathlib import Path

from tests.support.processes import Node, ask, cluster, eventually


def test_any_member_takes_and_gives_records_and_the_leader_may_die(tmp_path: Path) -> None:
    with cluster(tmp_path) as three:
        three.found()
        octets = {"Content-Type": "application/octet-stream"}
        for number, node in enumerate(three.nodes):
            ask("POST", node.client, "/v1/records", f"r{number}".encode(), headers=octets)
        three.leader().kill()
        three.leader()  # before that, an append could be told `unknown`, which is no refusal
        alive = next(node for node in three.nodes if node.alive)
        ask("POST", alive.client, "/v1/records", b"after", headers=octets)
        values = [value for _, value in three.records(alive)]
        assert values == [b"r0", b"r1", b"r2", b"after"]
        leader = three.leader()
        eventually("why names the dead member and what is wrong with it", lambda: _told(leader))
        three.start()
        three.settled()


def _told(leader: Node) -> bool:
    waits = ask("GET", leader.peer, "/v1/why")["waits"]
    silent = (wait["evidence"] for wait in waits if wait["code"] == "PeerUnreachable")
    return any("Connect call failed" in evidence for evidence in silent)
