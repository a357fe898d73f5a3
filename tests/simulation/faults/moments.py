"""Faults that wait for their moment: one line each says at which event what happens.

Decides: the table. Must not know: when they are armed.
Read next: ../triggers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.simulation.faults.processes import back_soon, down
from tests.simulation.faults.registry import Blow, fault
from tests.simulation.node import SimNode
from tests.simulation.triggers import Moment, Trigger

WAITS_US: Final = 6_000_000
"""A trigger that hasn't gone off by then is over."""

Action = Callable[[Blow, Moment], None]


def _after(blow: Blow, most_us: int, happen: Callable[[], None]) -> None:
    blow.later(blow.random.randint(0, most_us), happen)


def power(blow: Blow, moment: Moment) -> None:
    """The member's power fails just after."""
    _after(blow, 6000, lambda: down(blow, moment.node, power=True))


def kill(blow: Blow, moment: Moment) -> None:
    """The member is killed just after."""
    _after(blow, 6000, lambda: down(blow, moment.node, power=False))


def power_both(blow: Blow, moment: Moment) -> None:
    """The power of sender and receiver fails, one soon after the other."""
    for node in (moment.node, moment.to):
        if node is not None:
            _after(blow, 8000, lambda node=node: down(blow, node, power=True))  # type: ignore[misc]


def power_all(blow: Blow, _: Moment) -> None:
    """Power fails everywhere soon after."""
    for node in blow.world.nodes:
        _after(blow, 8000, lambda node=node: down(blow, node, power=True))  # type: ignore[misc]


def crash(blow: Blow, moment: Moment) -> None:
    """The member dies in the middle of this very write, or the next."""
    moment.node.crash_within(blow.random.randint(1, blow.random.choice((8, 30))), blow.hit)


def crash_at_once(blow: Blow, moment: Moment) -> None:
    """The member dies within the first calls of this very write."""
    moment.node.crash_within(blow.random.randint(1, 5), blow.hit)


def crash_receiver(blow: Blow, moment: Moment) -> None:
    """The receiver dies in the middle of what it writes next."""
    if moment.to is not None:
        moment.to.crash_within(blow.random.randint(1, 8), blow.hit)


def cut(blow: Blow, moment: Moment) -> None:
    """The member is cut off from all others for seconds."""
    _isolate(blow, moment.node, except_for=None)


def cut_leader(blow: Blow, moment: Moment) -> None:
    """Whoever leads is cut off from all others: the member is asked for its vote."""
    for node in blow.world.nodes:
        if node.leads and node is not moment.node:
            _isolate(blow, node, except_for=None)


def cut_but_one(blow: Blow, moment: Moment) -> None:
    """Of all others only the receiver hears this member still: a minority has what it says."""
    _isolate(blow, moment.node, except_for=moment.to)


def cut_receiver(blow: Blow, moment: Moment) -> None:
    """The receiver is cut off from all but the sender."""
    if moment.to is not None:
        _isolate(blow, moment.to, except_for=moment.node)


def _isolate(
    blow: Blow, node: SimNode, except_for: SimNode | None, seconds: int | None = None
) -> int:
    network = blow.world.network
    seconds = seconds or blow.random.choice((1, 3, 6))
    links = [
        link
        for other in blow.world.nodes
        if other not in (node, except_for)
        for link in ((node.member, other.member), (other.member, node.member))
    ]
    for link in links:
        network.cut(*link, blow.hit)
    blow.later(seconds * 1_000_000, lambda: network.mend(links))
    return seconds


def cut_slow_but_one(blow: Blow, moment: Moment) -> None:
    """The same to a leader whose time goes slower than the others': they elect one before it has
    noticed, and it still has somebody who follows it."""
    node = moment.node
    node.pace = 0.3
    seconds = _isolate(blow, node, except_for=moment.to, seconds=blow.random.choice((3, 5)))
    for other in blow.world.nodes:
        if moment.to is not None and other not in (node, moment.to):
            for link in ((moment.to.member, other.member), (other.member, moment.to.member)):
                blow.world.network.cut(*link, blow.hit)

    def end() -> None:
        node.pace = 1.0
        blow.world.network.heal()

    blow.later(seconds * 1_000_000, end)


def usurp(blow: Blow, moment: Moment) -> None:
    """The leader writes on alone; when it is back, whoever leads by then loses power at once.

    So a log that is longer and older meets one that is shorter and newer, and nobody leads.
    """
    seconds = _isolate(blow, moment.node, except_for=None, seconds=blow.random.choice((2, 3)))

    def depose() -> None:
        for node in blow.world.nodes:
            if node.leads and node is not moment.node:
                down(blow, node, power=True)

    blow.later(seconds * 1_000_000 + blow.random.randint(-2000, 20_000), depose)


def stall_and_cut(blow: Blow, moment: Moment) -> None:
    """The receiver's disk hangs over what it was just sent, and nobody else hears the sender."""
    if moment.to is not None:
        moment.to.stall(blow.random.randint(1_500_000, 4_000_000), blow.hit)
        _isolate(blow, moment.node, except_for=moment.to)


def split_halves(blow: Blow, moment: Moment) -> None:
    """The new half of a joint membership and those who only belong to the old one part."""
    driver = moment.node.driver
    configuration = None if driver is None else driver.kernel.configuration()
    if configuration is None or not configuration.joint:
        return
    new = set(configuration.voter_ids())
    old = set(configuration.outgoing_ids()) - new
    links = [
        link
        for one in sorted(new)
        for other in sorted(old)
        for link in ((one, other), (other, one))
    ]
    for link in links:
        blow.world.network.cut(*link, blow.hit)
    blow.later(blow.random.choice((3, 6)) * 1_000_000, lambda: blow.world.network.mend(links))


def pause(blow: Blow, moment: Moment) -> None:
    """The member stands still from now on, for longer than an election takes."""
    life_us = blow.random.choice((1_500_000, 4_000_000))
    _after(blow, 1000, lambda: moment.node.pause(life_us, blow.hit))


def hold(blow: Blow, _: Moment) -> None:
    """This message arrives seconds later."""
    blow.world.network.hold_next(blow.random.randint(300_000, 4_000_000), blow.hit)


def sleep_and_deaf(blow: Blow, moment: Moment) -> None:
    """A leader stands still right behind its heartbeat, and when it goes on the answers come late.

    Meanwhile another one is elected, of which it hears later still: for a moment it believes that
    it leads, and answers to an old heartbeat seem to say so, too.
    """
    node, network = moment.node, blow.world.network
    life_us = blow.random.choice((2_000_000, 3_000_000))
    late_us = life_us + blow.random.randint(20_000, 300_000)
    links = [(other.member, node.member) for other in blow.world.nodes if other is not node]
    for link in links:
        network.delay(*link, late_us, blow.hit)
    node.pause(life_us, blow.hit)
    blow.later(life_us + 400_000, lambda: network.hasten(links))


def break_link(blow: Blow, moment: Moment) -> None:
    """The connection breaks right behind this message."""

    def happen() -> None:
        if moment.to is not None and blow.world.network.break_between(
            moment.node.member, moment.to.member
        ):
            blow.hit()

    _after(blow, 2500, happen)


def kill_receiver(blow: Blow, moment: Moment) -> None:
    """The receiver is killed before or just after it has this message."""
    if moment.to is not None:
        node = moment.to
        _after(blow, 4000, lambda: down(blow, node, power=blow.random.random() < 0.5))


def restart(blow: Blow, moment: Moment) -> None:
    """The member is killed and back at once."""
    moment.node.kill()
    blow.hit()
    back_soon(blow, moment.node, 101)


MOMENTS: Final[dict[str, tuple[str, Action]]] = {
    "vote-power": ("sent VoteReply", power),
    "vote-restart": ("sent VoteReply", restart),
    "vote-hold": ("sent VoteReply", hold),
    "ask-hold": ("sent RequestVote", hold),
    "ask-power": ("sent RequestVote", power),
    "ack-power": ("sent AppendReply", power),
    "ack-power-both": ("sent AppendReply", power_both),
    "ack-power-all": ("sent AppendReply", power_all),
    "ack-hold": ("sent AppendReply", hold),
    "ack-cut": ("sent AppendReply", cut_receiver),
    "append-cut": ("sent AppendEntries", cut_but_one),
    "append-hold": ("sent AppendEntries", hold),
    "append-power": ("sent AppendEntries", power),
    "append-crash": ("sent AppendEntries", crash_receiver),
    "append-stall": ("sent AppendEntries", stall_and_cut),
    "append-usurp": ("sent AppendEntries", usurp),
    "lead-cut": ("leads", cut),
    "lead-power": ("leads", power),
    "lead-pause": ("leads", pause),
    "beat-pause": ("sent Heartbeat", pause),
    "beat-hold": ("sent HeartbeatReply", hold),
    "read-hold": ("sent ReadIndexReply", hold),
    "handover-cut": ("sent TimeoutNow", cut),
    "handover-kill": ("sent TimeoutNow", kill_receiver),
    "offer-crash": ("sent SnapshotOffer", crash_receiver),
    "chunk-break": ("sent ChunkFetched", break_link),
    "chunk-kill": ("sent ChunkFetched", kill_receiver),
    "forward-break": ("sent ForwardAppends", break_link),
    "forward-kill": ("sent ForwardAppends", kill_receiver),
    "result-break": ("sent ForwardResults", break_link),
    "admin-break": ("sent ForwardAdmin", break_link),
    "write-crash": ("writes entries", crash),
    "vote-crash": ("writes vote", crash),
    "truncate-crash": ("writes truncate", crash),
    "install-crash": ("installs", crash),
    "build-crash": ("builds", crash),
    "release-crash": ("releases", crash),
    "mend-crash": ("mends", crash),
    "park-crash": ("parks", crash),
    "hole-cut": ("holed", cut),
    "hole-kill": ("holed", kill),
    "hole-cut-leader": ("holed", cut_leader),
    "unproven-cut-leader": ("unproven", cut_leader),
    "joint-cut": ("joint", cut),
    "joint-power": ("joint", power),
    "joint-split": ("joint", split_halves),
    "joint-power-all": ("joint", power_all),
    "unjoint-cut": ("unjoint", cut),
    "unjoint-power": ("unjoint", power),
}
"""Kind -> (event, what happens then)."""

FOCUSED: Final[dict[str, tuple[str, Action]]] = {
    "beat-sleep": ("sent Heartbeat", sleep_and_deaf),
    "both-crash": ("writes both", crash_at_once),
    "append-cut-slow": ("sent AppendEntries", cut_slow_but_one),
}
"""The same for kinds that only a focus brings (profiles.FOCUSES)."""


def _register(kind: str, event: str, action: Action) -> None:
    @fault(kind)
    def arm(blow: Blow) -> None:
        anybody = blow.random.random() < 0.7

        def when(moment: Moment) -> bool:
            return anybody or moment.node is blow.node

        skip = blow.random.choice((0, 0, 1, 3))
        until_us = blow.world.clockwork.now_us + WAITS_US

        def count(moment: Moment) -> bool:
            nonlocal skip
            if not when(moment):
                return False
            skip -= 1
            return skip < 0

        blow.world.triggers.arm(
            Trigger(event, count, lambda moment: action(blow, moment), until_us)
        )


for _kind, (_event, _action) in (*MOMENTS.items(), *FOCUSED.items()):
    _register(_kind, _event, _action)
