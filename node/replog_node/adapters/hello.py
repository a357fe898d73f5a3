"""The first message on each connection between members, its answer, and who may talk to whom.

Both are {u16 type, u16 version, u32 length, MessagePack map}; a field that a build doesn't know is
left out of account, so that the hello can grow, and the range of protocols decides the rest.

Decides: the verdict on a hello, as a pure function of the two hellos.
Must not know: connections. Read next: peers.py (which carries verdicts out), docs/wire-format.md.
"""

from struct import Struct
from typing import Any, Final

import msgspec

from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import ClusterId, Lineage, MemberId
from replog_node.raft.messages import Incarnation
from replog_node.settings import split_address

PROTOCOL_MIN: Final = 1
PROTOCOL_MAX: Final = 1
"""What this build speaks: forms of packets and messages. The highest common protocol counts."""

HELLO_BYTES_MAX: Final = 8192
"""A longer hello or answer is refused unread."""

TEXT_CHARS_MAX: Final = 300
"""An id or address in a hello that is longer is refused."""

HELLO_TYPE: Final = 0x4801
ANSWER_TYPE: Final = 0x4802
HELLO_VERSION: Final = 1

_HEAD: Final = Struct(">HHI")


class HelloError(ValueError):
    """These bytes are no hello, or no answer to one."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls whom.

    cluster_id, lineage: None while unassigned. to: None when the caller only knows an address (a
    seed): then both introduce themselves, and nothing else is said on the connection.
    feature_level: the highest that the sender's build speaks. feature_level_in_force: of its log.
    peer_address, client_address: host:port at which others reach the sender.
    """

    protocol_min: int
    protocol_max: int
    cluster_id: ClusterId | None
    lineage: Lineage | None
    sender: MemberId
    to: MemberId | None
    incarnation: Incarnation
    feature_level: int
    peer_address: str
    client_address: str
    feature_level_in_force: int = FIRST_LEVEL


class HelloAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: who was reached, and the refusal's code ("" if the connection stands)."""

    me: Hello
    protocol: int
    refusal: str = ""
    detail: str = ""


class Accept(msgspec.Struct, frozen=True):
    """The connection stands, in this protocol.

    adopt: first become a member of the caller's cluster, durably. introduction: only names are
    exchanged.
    """

    protocol: int
    adopt: bool = False
    introduction: bool = False


class Refuse(msgspec.Struct, frozen=True):
    """The connection ends; code is one of replog.wire.codes.

    fence: the newer lineage that this member has just heard of, so it must fence itself.
    """

    code: str
    detail: str
    fence: Lineage | None = None


Verdict = Accept | Refuse


def judge(mine: Hello, theirs: Hello) -> Verdict:
    """Decide what becomes of a connection that `theirs` opened to the member of `mine`."""
    protocol = min(mine.protocol_max, theirs.protocol_max)
    if protocol < max(mine.protocol_min, theirs.protocol_min):
        return Refuse("protocol_unsupported", _protocols(mine, theirs))
    if theirs.sender == mine.sender:
        return Refuse("unknown_member", f"the caller has this member's own id {mine.sender}")
    if theirs.to is not None and theirs.to != mine.sender:
        return Refuse("unknown_member", f"this is {mine.sender}, not {theirs.to}")
    refusal = _strangers(mine, theirs)
    if refusal is not None:
        return refusal
    if theirs.to is None:
        return Accept(protocol, introduction=True)
    if theirs.cluster_id is None:
        return Refuse("unassigned", f"the caller {theirs.sender} belongs to no cluster")
    unable = _unable(mine, theirs)
    if unable is not None:
        return unable
    return Accept(protocol, adopt=mine.cluster_id is None)


def judge_answer(mine: Hello, answer: HelloAnswer) -> Verdict:
    """Decide the same for the caller: was the right member reached, of the right log?

    A refusal that names a newer lineage fences the caller, as a hello would.
    """
    theirs = answer.me
    if mine.to is not None and theirs.sender != mine.to:
        return Refuse("unknown_member", f"{theirs.sender} answers, not {mine.to}")
    strange = _strangers(mine, theirs)
    if strange is not None and strange.fence is not None:
        return strange
    if answer.refusal:
        return Refuse(answer.refusal, answer.detail)
    if strange is not None:
        return strange
    if not PROTOCOL_MIN <= answer.protocol <= PROTOCOL_MAX:
        return Refuse("protocol_unsupported", f"protocol {answer.protocol} was chosen")
    unable = None if mine.to is None else _unable(mine, theirs)
    return unable or Accept(answer.protocol, introduction=mine.to is None)


def _strangers(mine: Hello, theirs: Hello) -> Refuse | None:
    """Refuse another cluster and another life of the log; an unassigned member is no stranger."""
    if mine.cluster_id is None or theirs.cluster_id is None:
        return None
    if mine.cluster_id != theirs.cluster_id:
        return Refuse(
            "other_cluster", f"{mine.cluster_id} and {theirs.cluster_id} are two clusters"
        )
    if mine.lineage == theirs.lineage or mine.lineage is None or theirs.lineage is None:
        return None
    newer = theirs.lineage.number > mine.lineage.number
    detail = f"{mine.lineage} and {theirs.lineage} are two lives of the log"
    return Refuse("other_lineage", detail, fence=theirs.lineage if newer else None)


def _unable(mine: Hello, theirs: Hello) -> Refuse | None:
    """Refuse where one of the two doesn't speak what is in force in the other's log."""
    for speaker, holder in ((theirs, mine), (mine, theirs)):
        if speaker.feature_level < holder.feature_level_in_force:
            return Refuse(
                "feature_level_unsupported",
                f"{speaker.sender} speaks up to feature level {speaker.feature_level},"
                f" the log of {holder.sender} is at {holder.feature_level_in_force}",
            )
    return None


def _protocols(mine: Hello, theirs: Hello) -> str:
    return (
        f"{mine.sender} speaks protocols {mine.protocol_min} to {mine.protocol_max}, "
        f"{theirs.sender} {theirs.protocol_min} to {theirs.protocol_max}"
    )


_ENCODER: Final = msgspec.msgpack.Encoder()
_HELLO: Final = msgspec.msgpack.Decoder(Hello)
_ANSWER: Final = msgspec.msgpack.Decoder(HelloAnswer)


def encode_hello(hello: Hello) -> bytes:
    """Return the hello as the connection's first message."""
    return _with_head(HELLO_TYPE, _ENCODER.encode(hello))


def encode_answer(answer: HelloAnswer) -> bytes:
    """Return the answer as the connection's first message the other way."""
    return _with_head(ANSWER_TYPE, _ENCODER.encode(answer))


def decode_hello(data: bytes) -> Hello:
    """Return the hello that these bytes are; raises HelloError for anything else."""
    hello: Hello = _decoded(data, HELLO_TYPE, _HELLO)
    _check(hello)
    return hello


def decode_answer(data: bytes) -> HelloAnswer:
    """Return the answer that these bytes are; raises HelloError for anything else."""
    answer: HelloAnswer = _decoded(data, ANSWER_TYPE, _ANSWER)
    _check(answer.me)
    return answer


def _with_head(number: int, body: bytes) -> bytes:
    return _HEAD.pack(number, HELLO_VERSION, len(body)) + body


def _decoded(data: bytes, number: int, decoder: Any) -> Any:
    if not _HEAD.size <= len(data) <= HELLO_BYTES_MAX:
        raise HelloError(f"{len(data)} bytes are no hello")
    found, version, length = _HEAD.unpack_from(data)
    if (found, version) != (number, HELLO_VERSION):
        raise HelloError(f"type {found} version {version} instead of a hello")
    if _HEAD.size + length != len(data):
        raise HelloError(f"a hello of {length} bytes in a message of {len(data)}")
    try:
        return decoder.decode(memoryview(data)[_HEAD.size :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise HelloError(f"not a hello: {problem}") from problem


def _check(hello: Hello) -> None:
    """Refuse what a later part could not bear: endless texts, half a cluster, no address."""
    texts = [hello.sender, hello.to, hello.cluster_id, hello.peer_address, hello.client_address]
    if hello.lineage is not None:
        texts.append(hello.lineage.identity)
    if any(text is not None and not 0 < len(text) <= TEXT_CHARS_MAX for text in texts):
        raise HelloError("an empty or endless text")
    if (hello.cluster_id is None) != (hello.lineage is None):
        raise HelloError("a cluster without a lineage, or the reverse")
    for address in (hello.peer_address, hello.client_address):
        if split_address(address) is None:
            raise HelloError(f"{address!r} is not host:port")
