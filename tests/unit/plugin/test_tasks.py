"""`kubectl rlog transfer | snapshot` make one task, and end as it ends."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from replog.cli.exits import Failure
from replog_operator.kube.kinds import TASK
from replog_operator.plugin.tasks import best
from tests.unit.kube.world import World, status
from tests.unit.plugin.served import Served, served


def made(server: Served) -> dict[str, str]:
    """The spec of the only task."""
    (task,) = server.tasks.values()
    assert task["kind"] == "ReplicatedLogTask" and task["metadata"]["namespace"] == "shop"
    return dict(task["spec"])


@pytest.mark.asyncio
async def test_a_snapshot_is_a_task_that_is_waited_for(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        text = await server.run("snapshot", "orders")
        spec = made(server)
        server.tasks.clear()
        found = await server.run("snapshot", "orders", "-o", "json")

    assert (text.code, text.out, spec) == (0, "done so\n", {"log": "orders", "action": "Snapshot"})
    told = json.loads(found.out)
    assert (told["done"], told["detail"]) == (True, "done so")
    assert told["task"].startswith("orders-snapshot-")
    assert {line for line in server.asked if not line.startswith("GET")} == {
        f"POST /apis/{TASK.api_version}/namespaces/shop/{TASK.plural}"
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("said", "to"),
    [(("orders-2",), "orders-2"), (("member-1",), "member-1"), ((), "member-2")],
)
async def test_leadership_goes_to_a_pod_to_a_member_or_to_the_best(
    tmp_path: Path, said: tuple[str, ...], to: str
) -> None:
    world = World()
    leader = status(0)
    members = [replace(each, match_offset=at) for at, each in enumerate(leader.members)]
    world.answers["uid-of-orders-0"] = replace(leader, members=members)
    async with served(tmp_path, world) as server:
        found = await server.run("transfer", "orders", *said)

    assert found.code == 0, found
    assert made(server) == {"log": "orders", "action": "TransferLeader", "to": to}


@pytest.mark.asyncio
async def test_a_name_that_fits_several_members_makes_no_task(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        found = await server.run("transfer", "orders", "member")

    assert (found.code, server.tasks) == (1, {})
    assert "names 3 members; see `kubectl rlog members orders`" in found.err


def test_the_best_lives_votes_and_has_most() -> None:
    leader = status(0)
    one, two, three = leader.members
    dead = replace(three, alive=False, match_offset=99)
    assert best(replace(leader, members=[one, two, dead])) == two.id
    preferred = replace(two, priority=1, match_offset=1)
    assert best(replace(leader, members=[one, preferred, three])) == two.id
    with pytest.raises(Failure, match="no other voter"):
        best(replace(leader, members=[one, replace(two, role="learner"), dead]))


@pytest.mark.asyncio
async def test_a_task_that_fails_is_refused_with_its_message(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        server.ends = {"state": "Failed", "message": "member-9 is no member"}
        text = await server.run("transfer", "orders", "orders-9")
        found = await server.run("snapshot", "orders", "-o", "json")

    assert text.code == 1 and "failed: member-9 is no member" in text.err
    assert json.loads(found.err.splitlines()[-1])["error"]["outcome"] == "none"


@pytest.mark.asyncio
async def test_what_holds_a_task_is_told_and_its_outcome_is_open_at_the_timeout(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server:
        server.ends = {"state": "Pending", "blockedOn": "NoLeader", "message": "nobody leads"}
        found = await server.run("snapshot", "orders", "--timeout", "1.2")
        (name,) = server.tasks

    assert found.code == 3
    assert found.err.count("waits: NoLeader: nobody leads") == 1
    assert f"kubectl delete rlogtask {name} -n shop" in found.err


@pytest.mark.asyncio
async def test_a_task_that_may_not_be_made_did_not_happen(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        server.forbidden = {TASK.plural}
        found = await server.run("snapshot", "orders")

    assert (found.code, server.tasks) == (1, {})
    assert "you may not do that" in found.err


@pytest.mark.asyncio
async def test_a_task_that_vanishes_may_have_been_done(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        server.forgets = True
        found = await server.run("snapshot", "orders")

    assert found.code == 3 and "it was deleted before it ended" in found.err
