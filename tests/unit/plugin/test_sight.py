"""`kubectl rlog status | why | members`: the operator's word beside the members'."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from replog.wire.codes import row
from replog.wire.schemas import Wait
from replog_operator.kube.client import path_of
from replog_operator.kube.conditions import timestamp
from replog_operator.kube.reading import LEASE
from replog_operator.members.nodes import Silent
from replog_operator.plugin.sight import operator_waits, summary
from tests.unit.kube.pod_objects import NOW_S
from tests.unit.kube.world import World, status
from tests.unit.plugin.served import served

WAIT = {
    "code": "NoLeader",
    "message": f"{row('NoLeader').meaning} 1 of 3 answers",
    "next": row("NoLeader").next,
    "since": timestamp(NOW_S - 90),
}


def told() -> World:
    """A log of which the operator has told a wait."""
    world = World()
    world.resource["status"] |= {
        "ready": "2/3", "voters": 3, "leader": "orders-0", "tolerates": 0, "version": "0.1.0",
        "summary": "Scale: NoLeader",
        "operation": {"kind": "Scale", "step": "3 become 5", "since": "then",
                      "blockedOn": "NoLeader"},
        "waits": [WAIT],
        "conditions": [{"type": "Ready", "status": "False", "reason": "NoLeader",
                        "lastTransitionTime": "then", "message": "nobody leads"}],
    }  # fmt: skip
    return world


def test_the_summary_has_the_columns_and_what_is_under_way() -> None:
    assert summary(told().resource) == [
        "orders: Scale: NoLeader: 2/3 ready, 3 voters, orders-0 leads, 0 may fail, version 0.1.0",
        "Scale since then: 3 become 5, held by NoLeader",
    ]


def test_a_log_that_nobody_looks_after_is_told() -> None:
    world = World()
    world.resource["status"] = {}

    assert "does it run?" in summary(world.resource)[0]


def test_a_wait_of_the_status_reads_like_a_members_own() -> None:
    (wait,) = operator_waits(told().resource, NOW_S)

    assert wait == Wait("NoLeader", row("NoLeader").meaning, WAIT["next"], 90.0, "1 of 3 answers")


def test_a_code_of_a_newer_operator_is_told_by_its_message() -> None:
    world = World()
    world.resource["status"]["waits"] = [{"code": "NotYetKnown", "message": "a new thing"}]
    (wait,) = operator_waits(world.resource, NOW_S)

    assert (wait.code, wait.meaning, wait.since_s) == ("NotYetKnown", "a new thing", 0.0)


@pytest.mark.asyncio
async def test_status_shows_both(tmp_path: Path) -> None:
    world = told()
    world.answers["uid-of-orders-2"] = Silent("it fills a hole")
    async with served(tmp_path, world) as server:
        text = await server.run("status", "orders")
        found = json.loads((await server.run("status", "orders", "-o", "json")).out)

    assert text.code == 0
    assert "2/3 ready" in text.out and "nobody leads" in text.out
    assert "orders-1" in text.out and "no answer: it fills a hole" in text.out
    assert found["status"]["ready"] == "2/3"
    assert [member["endpoint"] for member in found["members"]] == [
        "orders-0", "orders-1", "orders-2",
    ]  # fmt: skip
    assert found["members"][0]["status"]["role"] == "leader"


@pytest.mark.asyncio
async def test_why_tells_the_waits_of_all(tmp_path: Path) -> None:
    async with served(tmp_path, told()) as server:
        server.waits["orders-1"] = [Wait("DiskFull", "It is full.", "Make room.", 7.0, "1 MB left")]
        text = await server.run("why", "orders")
        found = json.loads((await server.run("why", "orders", "-o", "json")).out)

    assert "operator: NoLeader for " in text.out and f"→ {WAIT['next']}" in text.out
    assert "orders-1: DiskFull for 7 s: It is full.\n    1 MB left\n    → Make room." in text.out
    assert [seen["endpoint"] for seen in found][:2] == ["operator", "orders-0"]


@pytest.mark.asyncio
async def test_nothing_that_is_waited_for_is_good_news(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert (await server.run("why", "orders")).out == "nothing is waited for\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("command", ["status", "why", "plan"])
async def test_where_no_operator_acts_a_note_says_so(tmp_path: Path, command: str) -> None:
    async with served(tmp_path) as server:
        lease = {"metadata": {"resourceVersion": "1"}, "spec": {"leaseTransitions": 3}}
        server.texts = {path_of(LEASE, "replog-system", "replog-operator"): lease}
        found = await server.run(command, "orders")
        server.forbidden = {"leases"}
        unknown = await server.run(command, "orders")

    assert "note: nobody holds the operator's lease: no operator acts" in found.err
    assert unknown.code == 0 and "lease" not in unknown.err


@pytest.mark.asyncio
async def test_members_are_those_that_the_leader_sees(tmp_path: Path) -> None:
    world = World()
    world.answers["uid-of-orders-0"] = replace(status(0), role="follower", members=[])
    world.answers["uid-of-orders-1"] = replace(status(1), role="leader", leader="member-1")
    world.answers["uid-of-orders-2"] = replace(status(2), role="leader", term=1, members=[])
    async with served(tmp_path, world) as server:
        text = await server.run("members", "orders")
        found = json.loads((await server.run("members", "orders", "-o", "json")).out)

    assert "member-2" in text.out and "voter, leader" in text.out
    assert len(found["members"]) == 3


@pytest.mark.asyncio
async def test_where_no_member_answers_the_code_says_whether_to_try_again(tmp_path: Path) -> None:
    world = World()
    for ordinal in range(3):
        world.answers[f"uid-of-orders-{ordinal}"] = Silent("it proves its log")
    async with served(tmp_path, world) as server:
        nobody = await server.run("members", "orders")
        server.forbidden = {"/proxy/"}
        refused = await server.run("members", "orders")

    assert nobody.code == 4 and "orders-1: it proves its log" in nobody.err
    assert refused.code == 1 and "you may not ask members" in refused.err
