"""Peers that speak WebSocket by hand, with the real hello (docs/wire-format.md).

Decides: what a stranger says first. Must not know: what a node should do about it.
Read next: test_bad_peers.py.
"""

import asyncio
import uuid
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

import aiohttp
import msgspec

from replog_node.adapters.hello import Hello, HelloAnswer, decode_answer, encode_hello
from replog_node.model.positions import ClusterId, Lineage, MemberId
from replog_node.raft.messages import Incarnation
from tests.support.processes import Node

PATHS: Final = ("/v1/peer/control", "/v1/peer/bulk")
PIECE: Final = Struct(">BI")
"""What precedes a message in a packet (adapters/packets.py)."""


def lineage_of(node: Node) -> Lineage:
    """A member's lineage, from the introduction that it gives to anybody who asks."""
    hello = stranger(node, None, None, to=None)
    found = say(node, encode_hello(hello)).answer
    assert found is not None and found.me.lineage is not None
    return found.me.lineage


def stranger(node: Node, cluster_id: str | None, lineage: Lineage | None, **more: Any) -> Hello:
    """The hello of a peer that this node has never heard of."""
    hello = Hello(
        protocol_min=1,
        protocol_max=1,
        cluster_id=None if cluster_id is None else ClusterId(cluster_id),
        lineage=lineage,
        sender=MemberId(str(uuid.uuid4())),
        to=MemberId(node.member()),
        incarnation=Incarnation(1, 1),
        feature_level=1,
        peer_address="127.0.0.1:9",
        client_address="127.0.0.1:9",
    )
    return msgspec.structs.replace(hello, **more)


class Said(msgspec.Struct):
    """What a node answered to a hello, and whether it hung up after all."""

    answer: HelloAnswer | None
    hung_up: bool


def say(node: Node, *messages: bytes, path: str = PATHS[0], token: str = "") -> Said:
    """Say these to a node, the hello first; how it ends."""
    return asyncio.run(_converse(node, messages, path, token))


async def _converse(node: Node, messages: Sequence[bytes], path: str, token: str) -> Said:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://{node.peer}{path}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as door:
        await door.send_bytes(messages[0])
        first = await door.receive(5)
        if first.type is not aiohttp.WSMsgType.BINARY:
            return Said(None, hung_up=True)
        answer = decode_answer(first.data)
        for message in messages[1:]:
            await door.send_bytes(message)
        try:
            last = await door.receive(1 if len(messages) == 1 and not answer.refusal else 5)
        except TimeoutError:
            return Said(answer, hung_up=False)
        return Said(answer, hung_up=last.type is not aiohttp.WSMsgType.BINARY)
