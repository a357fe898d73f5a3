"""The hello between two simulated members, by the node's own hello, verdict and address book.

Decides: nothing; it carries out what adapters/hello.py decides, as adapters/peers.py does.
Must not know: faults. Read next: network.py, replog_node/adapters/hello.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from replog_node.adapters.hello import (
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    Accept,
    Hello,
    HelloAnswer,
    Refuse,
    Verdict,
    decode_answer,
    decode_hello,
    encode_answer,
    encode_hello,
    judge,
    judge_answer,
)
from replog_node.model.positions import ClusterId, Lineage, MemberId

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from tests.simulation.node import SimNode

Answered = Callable[[bool], None]


def hello_of(node: SimNode, driver: Driver, to: MemberId | None) -> Hello:
    """What a member says of itself."""
    return Hello(
        protocol_min=PROTOCOL_MIN,
        protocol_max=PROTOCOL_MAX,
        cluster_id=driver.membership.cluster_id,
        lineage=driver.membership.lineage,
        sender=node.member,
        to=to,
        incarnation=driver.kernel.incarnation,
        feature_level=node.speaks,
        peer_address=node.address,
        client_address=node.address,
        feature_level_in_force=driver.feature_level,
    )


def greet(mine: SimNode, theirs: SimNode, answered: Answered) -> None:
    """Say hello; answered(True) once the connection stands for both."""
    if mine.driver is None or mine.driver.membership.cluster_id is None:
        answered(False)
        return
    data = encode_hello(hello_of(mine, mine.driver, theirs.member))
    life = mine.life

    def replied(answer: HelloAnswer) -> None:
        if mine.driver is None or mine.life != life:
            answered(False)
            return
        me = hello_of(mine, mine.driver, theirs.member)
        verdict = judge_answer(me, decode_answer(encode_answer(answer)))
        if isinstance(verdict, Accept):
            mine.book.learn(answer.me)
        _hear_level(mine, answer.me, verdict)
        answered(_carried_out(mine, verdict))

    theirs.do(lambda driver: hear(theirs, driver, decode_hello(data), replied))


def hear(
    node: SimNode, driver: Driver, hello: Hello, replied: Callable[[HelloAnswer], None]
) -> None:
    """Judge a hello and answer it; adopted by its cluster first, durably, if need be."""
    me = hello_of(node, driver, hello.sender)
    verdict = judge(me, hello)
    _hear_level(node, hello, verdict)
    if isinstance(verdict, Refuse):
        _carried_out(node, verdict)
        replied(HelloAnswer(me=me, protocol=0, refusal=verdict.code, detail=verdict.detail))
        return
    node.book.learn(hello)
    if hello.cluster_id is None or hello.lineage is None:
        replied(HelloAnswer(me=me, protocol=verdict.protocol))
        return

    def adopted(done: bool) -> None:
        if node.driver is not driver:
            return  # it died meanwhile: no answer
        now = hello_of(node, driver, hello.sender)
        refusal = "" if done else "other_cluster"
        replied(HelloAnswer(me=now, protocol=verdict.protocol, refusal=refusal))

    driver.adopt(hello.cluster_id, hello.lineage, adopted)


def _hear_level(node: SimNode, hello: Hello, verdict: Verdict) -> None:
    """Tell what the other's build speaks, also when just that is why it isn't let in."""
    if isinstance(verdict, Accept) or verdict.code == "feature_level_unsupported":
        node.do(lambda driver: _told(node, driver, hello))


def _told(node: SimNode, driver: Driver, hello: Hello) -> None:
    node.world.checks.hears(node, hello.sender, hello.feature_level)
    driver.peer_speaks(hello.sender, hello.feature_level)


def _carried_out(node: SimNode, verdict: Accept | Refuse) -> bool:
    """Fence the member that heard of a newer life; whether the connection stands."""
    if isinstance(verdict, Accept):
        return True
    fence = verdict.fence
    if fence is not None:
        node.world.clockwork.note(node.name, "fenced", fence)
        node.do(lambda driver: driver.fence(fence))
    return False


STRANGER = MemberId("a stranger")


def greet_as(cluster_id: ClusterId, lineage: Lineage, node: SimNode, answered: Answered) -> None:
    """Say hello to a member as somebody of that cluster and life; answered: did it accept?"""

    def hear_it(driver: Driver) -> None:
        hello = msgspec.structs.replace(
            hello_of(node, driver, node.member),
            cluster_id=cluster_id,
            lineage=lineage,
            sender=STRANGER,
            peer_address="stranger:1",
        )
        told = decode_hello(encode_hello(hello))
        hear(node, driver, told, lambda answer: answered(not answer.refusal))

    node.do(hear_it)
