"""Short scenarios for faults that chance hits too rarely: one bad moment each, made on purpose.

Decides: the moment. Must not know: which bug (mutants.py).
Read next: mutants.py, ../unit/driver/rig.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from replog.wire.batches import records_of
from replog.wire.schemas import Appended, ProducerRequest, TransferRequest
from replog_node.driver.messages import Message
from replog_node.driver.wire import decode
from replog_node.frames.decode import data_batches
from replog_node.model.positions import Offset, Position, Term
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import (
    AppendEntries,
    Envelope,
    HeartbeatReply,
    RequestVote,
    VoteReply,
)
from replog_node.raft.violation import InvariantViolation
from tests.simulation.checks import Broken
from tests.unit.driver.rig import Answers, Node, Rig, batch

ONE_AT_A_TIME: Final = CoreLimits(max_append_bytes=1, max_inflight_count=1)


def values(node: Node) -> list[bytes]:
    """What a member holds as committed."""
    return [
        bytes(record.value or b"")
        for entry in node.entries()
        for stored in data_batches(entry)
        for record in records_of(bytes(stored))
    ]


def leader_of(rig: Rig, *among: Node, ticks: int = 200) -> Node:
    """Let time pass until one of these leads and serves."""
    for _ in range(ticks):
        rig.tick()
        for node in among:
            driver = node.running
            if driver is not None and driver.kernel.leading and driver.ready("write") is None:
                return node
    raise Broken("nobody leads")


def promised(answers: Answers, value: bytes, node: Node) -> None:
    """What was acknowledged is there, once; what was told none is not."""
    count = values(node).count(value)
    for answer in answers:
        if isinstance(answer, Appended) and count != 1:
            raise Broken(f"{value!r} was acknowledged and is there {count} times")
        if not isinstance(answer, Appended) and answer.outcome == "none" and count:
            raise Broken(f"{value!r} was told none and is there")


def alike(rig: Rig) -> None:
    """All members hold the same, and made the same of it."""
    running = [node for node in rig.nodes if node.running is not None]
    if len({tuple(values(node)) for node in running}) != 1:
        raise Broken("members hold different logs")
    states = {node.driver.applied.offset: set[bytes]() for node in running}
    for node in running:
        states[node.driver.applied.offset].add(node.driver.applied.digest())
    if any(len(digests) > 1 for digests in states.values()):
        raise Broken("members are in different states at one offset")


def _ask_for_vote(candidate: Node, voter: Node, term: int) -> None:
    last = Position(Term(term - 1), Offset(1_000_000))
    request = RequestVote(Term(term), last, pre=False, transfer=True, attempt=1)
    incarnation = candidate.driver.kernel.incarnation
    voter.driver.receive(Envelope(candidate.member, voter.member, incarnation, None, request))


def _granted(rig: Rig) -> list[str]:
    """To whom votes are on their way."""
    found = [decode(data) for _, _, data in rig.mail]
    return [
        m.to for m in found
        if isinstance(m, Envelope) and isinstance(m.message, VoteReply) and m.message.granted
    ]  # fmt: skip


def a_voter_dies_between_two_candidates() -> None:
    """It may vote for one of them only, whenever it dies."""
    for stalled in (True, False):
        rig = Rig(3).found()
        one, other, voter = rig.nodes
        rig.mail.clear()
        voter.stalled = stalled
        _ask_for_vote(one, voter, 50)
        voter.work()
        voter.kill()
        voter.stalled = False
        voter.start()
        _ask_for_vote(other, voter, 50)
        voter.work()
        if len(set(_granted(rig))) > 1:
            raise Broken("a member voted for two candidates in one term")


def a_follower_dies_before_its_disk_has_it() -> None:
    """What was acknowledged survives a follower that loses what it had not synced."""
    rig = Rig(3).found()
    leader, follower, third = rig.nodes
    rig.cut_off = {third.member}
    follower.stalled = True
    answers = leader.append(batch("x"), within_s=60)
    rig.tick(3)
    follower.kill()
    follower.stalled = False
    follower.start()
    rig.cut_off = {leader.member}
    leader_of(rig, follower, third)
    rig.cut_off = set()
    rig.tick(60)
    promised(answers, b"x", third)


def a_leader_dies_before_its_own_disk_has_it() -> None:
    """What was acknowledged survives a leader that loses what it had not synced."""
    rig = Rig(3).found()
    leader, follower, third = rig.nodes
    rig.cut_off = {third.member}
    leader.stalled = True
    answers = leader.append(batch("x"), within_s=60)
    rig.tick(3)
    leader.kill()
    leader.stalled = False
    leader.start()
    rig.cut_off = {follower.member}
    leader_of(rig, leader, third)
    promised(answers, b"x", third)


def an_old_leader_returns() -> None:
    """A leader that wrote alone comes back: what it wrote alone gives way, and nothing else."""
    for alone, since in ((6, 0), (6, 12), (1, 6)):
        rig = Rig(3).found()
        old, *others = rig.nodes
        rig.cut_off = {old.member}
        lonely = [old.append(batch(f"lonely{n}"), within_s=60) for n in range(alone)]
        new = leader_of(rig, *others)
        told = [new.append(batch(f"told{n}"), within_s=60) for n in range(since)]
        rig.tick(5)
        rig.cut_off = set()
        rig.tick(80)
        alike(rig)
        for n, answers in enumerate(lonely):
            promised(answers, f"lonely{n}".encode(), old)
        for n, answers in enumerate(told):
            promised(answers, f"told{n}".encode(), old)


def an_old_entry_reaches_a_majority_late() -> None:
    """Paper, figure 8: an entry of an older term on a majority is not committed by that."""
    rig = Rig(3, core_limits=ONE_AT_A_TIME).found()
    first, *others = rig.nodes
    rig.cut_off = {first.member}
    answers = first.append(batch("x"), within_s=600)
    rig.deliver()
    second = _elected_and_silent(rig, others)
    third = next(node for node in others if node is not second)
    rig.cut_off = {second.member}
    term = Term(0)
    rig.dropped = lambda message: (
        isinstance(message.message, AppendEntries)
        and any(entry.term > term for entry in message.message.entries)
    )
    term = first.driver.kernel.term()
    for _ in range(200):
        rig.tick()
        if first.driver.kernel.leading and first.driver.kernel.term() > term + 1:
            break
    rig.tick(10)
    rig.dropped = None
    rig.cut_off = {first.member}
    leader_of(rig, second, third)
    rig.cut_off = set()
    rig.tick(80)
    alike(rig)
    promised(answers, b"x", third)


def _elected_and_silent(rig: Rig, among: list[Node]) -> Node:
    """One of these is elected, and nothing that it appends arrives."""
    rig.dropped = lambda message: isinstance(message.message, AppendEntries)
    for _ in range(200):
        rig.tick()
        for node in among:
            if node.driver.kernel.leading:
                return node
    raise Broken("nobody was elected")


def a_deposed_leader_is_asked_for_a_read() -> None:
    """A leader that slept while another one led must not answer from what it knew.

    An answer to its last heartbeats arrives only now: it proves nothing about now.
    """
    rig = Rig(3).found()
    old, *others = rig.nodes
    late: list[Message] = []

    def keep(message: Envelope) -> bool:
        mine = isinstance(message.message, HeartbeatReply) and message.to == old.member
        if mine:
            late.append(message)
        return mine

    rig.dropped = keep
    rig.tick(2)
    rig.dropped = None
    old.asleep = True
    new = leader_of(rig, *others)
    told = new.append(batch("x"), within_s=60)
    rig.tick(5)
    old.asleep = False
    answers = old.read_index(within_s=60)
    for message in late:
        old.driver.receive(message)
    rig.deliver()
    rig.tick(60)
    if not isinstance(told[0], Appended) or answers[0] < told[0].last_offset:
        raise Broken(f"a read saw {answers[0]} after {told[0]} was acknowledged")


def a_leader_leads_again() -> None:
    """What it knew of its first time, and was cut off since, it must not know any more."""
    rig = Rig(3).found()
    old, *others = rig.nodes
    session = old.call(ProducerRequest("s"))
    rig.tick(3)
    numbered = batch("x", session=(session[0].producer_id, 0))
    rig.cut_off = {old.member}
    old.append(*(batch(f"filler{n}") for n in range(30)), within_s=1)
    first = old.append(numbered, within_s=60)
    new = leader_of(rig, *others)
    rig.cut_off = set()
    rig.tick(60)
    new.call(TransferRequest(old.member))
    leader_of(rig, old)
    again = old.append(numbered, within_s=1)
    rig.tick(30)
    promised(again, b"x", old)
    if "ok" not in again.codes:
        raise Broken(f"after {first.codes} the repeat was told {again.codes}")


def a_leader_has_not_applied_yet_what_it_inherited() -> None:
    """It must not judge a session before it knows what the session did."""
    rig = Rig(core_limits=CoreLimits(cache_bytes=1)).found()
    node = rig.nodes[0]
    session = node.call(ProducerRequest("s"))
    rig.tick(1)
    numbered = batch("x", session=(session[0].producer_id, 0))
    node.append(numbered)
    rig.tick(1)
    node.kill()
    node.start()
    node.reads_held = True
    rig.tick(3)
    again = node.append(numbered)
    rig.tick(3)
    node.reads_held = False
    rig.tick(5)
    promised(again, b"x", node)
    if again.codes != ["ok"]:
        raise Broken(f"a repeat was told {again.codes}")


def a_connection_breaks_before_the_answer() -> None:
    """Whoever sent something on says that it doesn't know, and doesn't send it again."""
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    answers = follower.append(batch("x"), within_s=60)
    follower.driver.peer_down(leader.member)
    rig.deliver()
    rig.tick(10)
    promised(answers, b"x", leader)
    if values(leader).count(b"x") != 1:
        raise Broken(f"x is there {values(leader).count(b'x')} times")


def a_message_arrives_twice() -> None:
    """A group that was sent on is carried out once."""
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    answers = follower.append(batch("x"), within_s=60)
    rig.mail.extend([*rig.mail])
    rig.tick(10)
    promised(answers, b"x", leader)


def a_read_from_disk_is_overtaken() -> None:
    """What was read before it was cut off is not applied although its place is committed."""
    rig = Rig(3, core_limits=CoreLimits(cache_bytes=1)).found()
    old, *others = rig.nodes
    session = old.call(ProducerRequest("s"))
    rig.tick(3)
    rig.cut_off = {old.member}
    for n in range(3):
        old.append(batch(f"lonely{n}", session=(session[0].producer_id, n)), within_s=60)
    rig.deliver()
    old.kill()
    new = leader_of(rig, *others)
    for n in range(6):
        new.append(batch(f"told{n}", f"more{n}"), within_s=60)
    rig.tick(5)
    old.start()
    old.reads_held = True
    rig.cut_off = set()
    rig.tick(60)
    old.reads_held = False
    rig.tick(10)
    alike(rig)


def _half_joint() -> tuple[Rig, list[Node], list[Node]]:
    """Five of whom three are to be replaced by two; only the new half knows of it."""
    rig = Rig(5).found(voters=3)
    one, two, three, four, five = rig.nodes
    old = {two.member, three.member}
    rig.dropped = lambda message: message.to in old and _is_joint(message)
    rig.target([one, four, five], "replace")
    for _ in range(100):
        if one.driver.status("", {}).joint:
            break
        rig.tick()
    rig.apart, rig.dropped = old, None
    return rig, [two, three], [one, four, five]


def _is_joint(message: Envelope) -> bool:
    return isinstance(message.message, AppendEntries) and any(
        entry.configuration is not None and entry.configuration.joint
        for entry in message.message.entries
    )


def the_old_half_does_not_know_that_it_is_replaced() -> None:
    """Nothing is acknowledged without a majority of both halves."""
    rig, old, new = _half_joint()
    theirs = new[0].append(batch("x"), within_s=10)
    leader = leader_of(rig, *old)
    ours = leader.append(batch("y"), within_s=10)
    rig.tick(60)
    rig.apart = set()
    rig.tick(200)
    promised(theirs, b"x", leader)
    promised(ours, b"y", leader)
    alike(rig)


def both_halves_elect() -> None:
    """The new half can't elect without the old one."""
    rig, _, new = _half_joint()
    rig.tick(2)
    new[0].asleep = True
    leaders: dict[int, str] = {}
    for _ in range(150):
        rig.tick()
        for node in rig.nodes[1:]:
            kernel = node.driver.kernel
            if kernel.leading and leaders.setdefault(kernel.term(), node.name) != node.name:
                raise Broken(f"two lead in term {kernel.term()}")
            if kernel.leading and node in new:
                raise Broken("the new half elected a leader alone")


SCENARIOS: Final[dict[str, Callable[[], None]]] = {
    scenario.__name__: scenario
    for scenario in (
        a_voter_dies_between_two_candidates,
        a_follower_dies_before_its_disk_has_it,
        a_leader_dies_before_its_own_disk_has_it,
        an_old_leader_returns,
        an_old_entry_reaches_a_majority_late,
        a_deposed_leader_is_asked_for_a_read,
        a_leader_leads_again,
        a_leader_has_not_applied_yet_what_it_inherited,
        a_connection_breaks_before_the_answer,
        a_message_arrives_twice,
        a_read_from_disk_is_overtaken,
        the_old_half_does_not_know_that_it_is_replaced,
        both_halves_elect,
    )
}


def run_directed(name: str) -> None:
    """Run one; an invariant that the node itself sees broken counts as well."""
    try:
        SCENARIOS[name]()
    except InvariantViolation as violation:
        raise Broken(f"InvariantViolation: {violation}") from violation
