"""Members find, judge and hear each other over real sockets."""

import asyncio

import pytest

from replog_node.adapters.packets import PACKET_BYTES_MAX
from replog_node.adapters.peers import Belonging
from replog_node.model.positions import ClusterId, Lineage
from tests.unit.adapters.meeting import (
    CLUSTER,
    NOBODY,
    Node,
    introduce,
    meeting,
    running,
    until,
)

pytestmark = pytest.mark.asyncio


async def test_messages_arrive_in_order_on_each_connection() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):
        for term in range(200):
            assert a.say(b, term, bulk=term % 2 == 0)
        await until(lambda: len(b.heard()) == 200)
        assert [term for term in b.heard() if term % 2] == list(range(1, 200, 2))
        assert [term for term in b.heard() if not term % 2] == list(range(0, 200, 2))


async def test_news_are_lost_when_more_is_said_and_else_come_soon() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):
        assert a.say(b, 1, bulk=True, news=True)
        assert a.say(b, 2, bulk=True, news=True)
        assert a.say(b, 3, bulk=True, news=False)
        await until(lambda: b.heard() == [3])
        assert a.say(b, 4, bulk=True, news=True)
        await until(lambda: b.heard() == [3, 4])
        assert a.say(b, 5, bulk=True, news=True)
        await asyncio.sleep(0.05)
        assert b.heard() == [3, 4, 5]


async def test_whoever_is_told_anything_else_gets_the_news_at_once() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):
        assert a.say(b, 1, bulk=True, news=True)
        assert a.say(b, 2, bulk=True)
        await until(lambda: len(b.heard()) == 2)
        assert b.heard() == [1, 2]


async def test_a_message_larger_than_a_packet_arrives_in_one_piece_between_small_ones() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):
        assert a.say(b, 1, bulk=True)
        assert a.say_much(b, 2, 5 * PACKET_BYTES_MAX)
        assert a.say(b, 3, bulk=True)
        await until(lambda: len(b.heard()) == 3)
        assert b.heard() == [1, 2, 3]


async def test_an_unassigned_member_is_adopted_and_can_answer_before_it_knows_anybody() -> None:
    leader, new = Node(1, CLUSTER), Node(2, NOBODY)
    async with running(leader, new):
        new.driver.durable.clear()
        leader.peers.connect({new.id: new.address})
        await asyncio.sleep(0.1)
        assert leader.driver.up == set()
        new.driver.durable.set()
        await until(lambda: leader.driver.up == {new.id} and new.driver.up == {leader.id})
        assert new.driver.belonging == CLUSTER
        assert new.say(leader, 7)
        await until(lambda: leader.heard() == [7])


async def test_a_member_that_can_not_adopt_is_not_connected() -> None:
    leader, new = Node(1, CLUSTER), Node(2, NOBODY)
    async with running(leader, new):
        new.driver.may_adopt = False
        leader.peers.connect({new.id: new.address})
        await until(lambda: "other_cluster" in leader.peers.unreachable()[new.id])
        assert new.driver.belonging == NOBODY


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (Belonging(ClusterId("c2"), Lineage(1, "life")), "other_cluster"),
        (Belonging(CLUSTER.cluster_id, Lineage(1, "another")), "other_lineage"),
    ],
)
async def test_strangers_do_not_connect_and_are_told_why(other: Belonging, code: str) -> None:
    a, b = Node(1, CLUSTER), Node(2, other)
    async with running(a, b):
        introduce(a, b)
        await until(lambda: code in a.peers.unreachable()[b.id])
        await until(lambda: code in b.peers.unreachable()[a.id])
        assert not a.say(b, 1)
        assert a.driver.fenced_by == b.driver.fenced_by == []


@pytest.mark.parametrize("old_dials", [True, False])
async def test_whoever_meets_a_newer_life_of_the_log_fences_itself(old_dials: bool) -> None:
    newer = Lineage(2, "restored")
    old, new = Node(1, CLUSTER), Node(2, Belonging(CLUSTER.cluster_id, newer))
    async with running(old, new):
        if old_dials:
            old.peers.connect({new.id: new.address})
        else:
            new.peers.connect({old.id: old.address})
        await until(lambda: old.driver.fenced_by[:1] == [newer])
        assert new.driver.fenced_by == []


async def test_a_message_to_a_member_that_is_gone_is_surely_not_sent() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):
        await b.stop()
        await until(lambda: a.driver.up == set())
        assert not a.say(b, 1)
        assert a.peers.unreachable().keys() == {b.id}
        b.incarnation = type(b.incarnation)(2, 2)
        await b.start()
        introduce(a, b)
        await until(lambda: a.driver.up == {b.id} and b.driver.up == {a.id})
        assert a.say(b, 5)
        await until(lambda: b.heard() == [5])


async def test_a_broken_connection_leaves_nobody_counted_as_cancelled() -> None:
    """Python 3.11.2 ends such a task at its next timeout: the member was never dialed again."""
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):
        await b.stop()
        await until(lambda: a.driver.up == set())
        (link,) = (task for task in asyncio.all_tasks() if task.get_name() == f"link-{b.id}")
        assert link.cancelling() == 0
        await b.start()


async def test_seeds_bring_members_together_whose_addresses_have_all_changed() -> None:
    nowhere = "127.0.0.1:9"
    b = Node(2, CLUSTER)
    async with running(b):
        a = Node(1, CLUSTER, seeds=(nowhere, b.address))
        async with running(a):
            b.peers.connect({a.id: nowhere})
            a.peers.connect({b.id: nowhere})
            await until(lambda: a.driver.up == {b.id} and b.driver.up == {a.id})


async def test_the_token_is_presented_on_every_connection() -> None:
    a, b = Node(1, CLUSTER, token="a-token-of-peers"), Node(2, CLUSTER)
    async with running(a, b):
        a.peers.connect({b.id: b.address})
        await until(lambda: a.driver.up == {b.id})
        assert b.headers == ["Bearer a-token-of-peers"] * 2


async def test_client_addresses_are_learnt_from_hellos() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):
        addresses = {n.id: f"127.0.0.1:{n.port - 1}" for n in (a, b)}
        assert a.peers.client_addresses() == b.peers.client_addresses() == addresses


async def test_closing_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with meeting(Node(1, CLUSTER), Node(2, CLUSTER), Node(3, CLUSTER)):
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() == before


async def test_a_driver_that_fails_is_told_to_the_node() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b):

        def fail(_: object) -> None:
            raise RuntimeError("an invariant is broken")

        b.driver.on_receive = fail
        a.say(b, 1)
        await until(lambda: [str(f) for f in b.failures] == ["an invariant is broken"])


async def test_members_hear_what_the_others_speak_before_they_are_up() -> None:
    a, b = Node(1, CLUSTER, feature_level=3), Node(2, CLUSTER)
    async with meeting(a, b):
        assert (a.driver.spoken, b.driver.spoken) == ({b.id: 1}, {a.id: 3})


async def test_a_member_that_does_not_speak_the_level_in_force_is_kept_out_and_named() -> None:
    raised = CLUSTER._replace(feature_level=2)
    a, b = Node(1, raised, feature_level=2), Node(2, CLUSTER)
    async with running(a, b):
        introduce(a, b)
        await until(lambda: bool(a.driver.spoken))
        await until(lambda: any("feature_level_unsupported" in line for line in b.notebook.lines))
        assert a.driver.spoken == {b.id: 1}
        assert (a.driver.up, b.driver.up) == (set(), set())
        assert b.driver.belonging == CLUSTER
