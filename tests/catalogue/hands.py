"""What several stories do to members: overhear, hold back, cut the power, ask for a vote.

Decides: nothing. Must not know: which bug it is for.
Read next: ../unit/driver/rig.py, ../scenario/script.py, ../simulation/directed.py.
"""

from collections.abc import Iterable
from random import Random
from typing import Generic, NamedTuple, TypeVar

from replog.wire.schemas import SnapshotRequest
from replog_node.driver.snapshots import STAGGER_TICKS
from replog_node.driver.wire import decode
from replog_node.model.positions import Offset, Position, Term
from replog_node.raft.core import Core
from replog_node.raft.messages import Envelope, Message, RequestVote, VoteReply
from replog_node.raft.state import MemberProgress
from tests.scenario.script import Player
from tests.unit.driver.rig import Node, Rig, batch

FAR = Position(Term(40), Offset(1_000_000))
"""The end of a log that nobody refuses to vote for."""


Said = TypeVar("Said", bound=Message)


class Heard(NamedTuple, Generic[Said]):
    """A message, and the envelope that it came in."""

    envelope: Envelope
    message: Said


def core_of(node: Node) -> Core:
    """The running core of a member."""
    core = node.driver.kernel.core
    assert core is not None
    return core


def commit_of(node: Node) -> int:
    """How far a member knows the log to be committed."""
    return core_of(node).status().commit.offset


def progress_of(leader: Node, other: Node) -> MemberProgress:
    """What a leader knows of another member."""
    return core_of(leader).status().progress[other.member]


def overheard(
    rig: Rig,
    kind: type[Said],
    *,
    sender: Node | None = None,
    to: Node | None = None,
    lost: bool = False,
) -> list[Heard[Said]]:
    """Collect messages from now on, as they arrive, or in place of arriving (lost)."""
    found: list[Heard[Said]] = []

    def hear(envelope: Envelope) -> bool:
        between = (sender is None or envelope.sender == sender.member) and (
            to is None or envelope.to == to.member
        )
        if not between or not isinstance(envelope.message, kind):
            return False
        found.append(Heard(envelope, envelope.message))
        return lost

    rig.dropped = hear
    return found


def snapshot_taken(rig: Rig) -> None:
    """All members build a snapshot at one point."""
    answers = rig.nodes[0].call(SnapshotRequest())
    rig.deliver()
    rig.tick(3 * STAGGER_TICKS)
    assert answers.codes == ["ok"]


def fill(rig: Rig, count: int = 60) -> int:
    """Append several segments' worth of records; the offset behind them."""
    for number in range(count):
        rig.nodes[0].append(batch(f"{number:04d}" + "x" * 4000))
        rig.deliver()
    rig.tick(2)
    return rig.nodes[0].driver.applied.offset + 1


def cut_power(nodes: Iterable[Node], seed: int) -> None:
    """The machines of these members go down: what their disks weren't told to keep is in doubt."""
    random = Random(seed)
    for node in nodes:
        node.kill()
        node.disk.lose_power(random)


def ask_for_vote(candidate: Node, voter: Node, term: int) -> None:
    """A candidate whose log is long enough, and whom nobody may put off, asks for a vote."""
    request = RequestVote(Term(term), FAR, pre=False, transfer=True, attempt=1)
    incarnation = candidate.driver.kernel.incarnation
    voter.driver.receive(Envelope(candidate.member, voter.member, incarnation, None, request))


def votes_on_their_way(rig: Rig, term: int) -> set[str]:
    """To whom votes of a term are on their way."""
    found = [decode(data) for _, _, data in rig.mail]
    return {
        message.to
        for message in found
        if isinstance(message, Envelope)
        and isinstance(message.message, VoteReply)
        and (message.message.granted, message.message.term) == (True, term)
    }


def played(*commands: str) -> Player:
    """Cores after these commands of the scenario language."""
    player = Player()
    for command in commands:
        player.play(command)
    return player
