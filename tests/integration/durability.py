"""A simulated cluster whose members are held to what they say: it must be durable already.

Everything that leaves a member (messages, answers, what it applies as committed) is compared with
what the stores hold durably at that very moment. Each wait for the disk can be taken out of the
real driver and core, one by one: WAITS.

Decides: what a word promises, and how each wait is taken out. Must not know: why members say it.
Read next: test_waiting_for_durable.py, ../simulation/world.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, Done
from replog_node.driver.driver import Driver
from replog_node.driver.kernel import Kernel
from replog_node.driver.ledger import Promise
from replog_node.driver.ports import NetworkPort
from replog_node.driver.wire import decode
from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId
from replog_node.raft.core import Core
from replog_node.raft.effects import Send
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    CoreMessage,
    Envelope,
    Heartbeat,
    HeartbeatReply,
    ReadIndexReply,
    RequestVote,
    VoteReply,
)
from replog_node.storage.store import Store
from tests.simulation.checks import Broken
from tests.simulation.node import SimNode
from tests.simulation.world import World

Without = Callable[[Driver], None]
"""Takes one wait out of a driver that was just made."""

PROMISING = (
    RequestVote, VoteReply, AppendEntries, AppendReply, Heartbeat, HeartbeatReply, ReadIndexReply,
)  # fmt: skip
"""Messages that tell the sender's term, which it must never forget."""


class Overheard:
    """A network (driver.ports.NetworkPort) that lets somebody hear the core's messages first."""

    def __init__(
        self, network: NetworkPort, heard: Callable[[MemberId, CoreMessage], None]
    ) -> None:
        self._network = network
        self._heard = heard

    def send(self, to: MemberId, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        found = decode(message)
        if isinstance(found, Envelope):
            self._heard(to, found.message)
        return self._network.send(to, message, bulk=bulk)

    def connect(self, peers: Mapping[MemberId, str]) -> None:
        self._network.connect(peers)


class Held(World):
    """A world in which every word is checked when it is said. told: how many, by kind."""

    def __init__(
        self, seed: int, without: Without | None = None, *, members: int = 3, voters: int = 3
    ) -> None:
        self._without = without
        self.told: dict[str, int] = {}
        super().__init__(seed, members=members, voters=voters)

    def started(self, node: SimNode) -> None:
        """Take the wait out, then watch."""
        super().started(node)
        driver = node.driver
        if driver is None:
            return
        if self._without is not None:
            self._without(driver)
        self._watch_sends(node, driver.kernel)
        self._watch_commits(driver)
        self._watch_answers(node, driver)

    def _count(self, what: str) -> None:
        self.told[what] = self.told.get(what, 0) + 1

    # What members tell each other.

    def _watch_sends(self, node: SimNode, kernel: Kernel) -> None:
        def heard(to: MemberId, message: CoreMessage) -> None:
            self._count(type(message).__name__)
            self._hold(node, to, message)

        kernel.network = Overheard(kernel.network, heard)
        in_order = kernel._send_in_order

        def seen(send: Send) -> None:
            if send.after_ticket > kernel.persisted_ticket:
                self._count(f"{type(send.message).__name__} waited")
            in_order(send)

        kernel._send_in_order = seen  # type: ignore[method-assign]

    def _hold(self, node: SimNode, to: MemberId, message: CoreMessage) -> None:
        """Compare one message with the sender's disk."""
        store = _store(node)
        hard, tail = store.hard_state, store.tail.position
        said = f"seed {self.seed}: {node.name} says {message}, its disk has {hard} and {tail}"
        if not isinstance(message, PROMISING) or _is_pre_vote(message):
            return
        if hard.current_term < message.term:
            raise Broken(f"a term that may be forgotten: {said}")
        if hard.current_term > message.term:
            return  # said in an older term
        match message:
            case RequestVote() | AppendEntries() | Heartbeat():
                promised = hard.voted_for == node.member
            case VoteReply(granted=True):
                promised = hard.voted_for == to
            case AppendReply(ok=True):
                promised = tail.offset >= message.match.offset
            case _:
                promised = True
        if not promised:
            raise Broken(f"not durable: {said}")

    # What is committed, and what callers are told.

    def _watch_commits(self, driver: Driver) -> None:
        state = driver.applied
        apply = state.apply

        def seen(entry: Entry) -> None:
            self._majority(driver, entry.last, "is applied as committed")
            apply(entry)

        state.apply = seen  # type: ignore[method-assign]

    def _majority(self, driver: Driver, offset: int, what: str) -> None:
        """A majority of voters must hold this durably; of those that are dead, nothing is known."""
        configuration = driver.kernel.configuration()
        if configuration is None or configuration.joint or len(configuration.voters) < 3:
            return
        self._count("committed")
        ids = {member.id for member in configuration.voters}
        lacking = [
            node.name
            for node in self.nodes
            if node.member in ids and node.driver and _store(node).tail.position.offset < offset
        ]
        if 2 * len(lacking) >= len(ids):
            raise Broken(f"seed {self.seed}: {offset} {what}, but not on the disks of {lacking}")

    def _watch_answers(self, node: SimNode, driver: Driver) -> None:
        append, adopt, bootstrap = driver.append, driver.adopt, driver.bootstrap

        def appending(batch: CheckedBatch, reply: Any, *, deadline_s: float) -> None:
            def told(result: Appended | ApiError) -> None:
                if isinstance(result, Appended):
                    self._majority(driver, result.last_offset, "is acknowledged")
                reply(result)

            def told_again(result: Appended | ApiError) -> None:
                if isinstance(result, Appended):
                    self._count("repeated")
                    self._majority(driver, result.last_offset, "is acknowledged again")

            append(batch, told, deadline_s=deadline_s)
            if batch.producer_id >= 0:  # as after a lost answer
                append(batch, told_again, deadline_s=deadline_s)

        def adopting(cluster_id: Any, lineage: Any, reply: Any) -> None:
            def told(adopted: bool) -> None:
                self._count("adopted")
                if adopted and _store(node)._identity.cluster_id != cluster_id:
                    raise Broken(f"{node.name} was adopted, and its disk doesn't say so")
                reply(adopted)

            adopt(cluster_id, lineage, told)

        def founding(request: Any, reply: Any) -> None:
            def told(result: Done | ApiError) -> None:
                self._count("founded")
                if isinstance(result, Done) and _store(node).tail.position.offset < 1:
                    raise Broken(f"{node.name} has founded a cluster, and its log is empty")
                reply(result)

            bootstrap(request, told)

        driver.append = appending  # type: ignore[method-assign]
        driver.adopt = adopting  # type: ignore[method-assign]
        driver.bootstrap = founding  # type: ignore[method-assign]


def _store(node: SimNode) -> Store:
    if node.storage is None:
        raise AssertionError(f"{node.name} speaks and is dead")
    return node.storage.store


def _is_pre_vote(message: CoreMessage) -> bool:
    return isinstance(message, RequestVote | VoteReply) and message.pre


# Each wait, taken out.


def _unheld(driver: Driver, kind: type[CoreMessage], **wanted: object) -> None:
    """Let messages of this kind go at once."""
    kernel = driver.kernel
    in_order = kernel._send_in_order

    def at_once(send: Send) -> None:
        message = send.message
        if isinstance(message, kind) and all(getattr(message, n) == v for n, v in wanted.items()):
            kernel._send(send)
        else:
            in_order(send)

    kernel._send_in_order = at_once  # type: ignore[method-assign]


def _in_core(driver: Driver, change: Callable[[Core], None]) -> None:
    """Change the core as soon as there is one."""
    kernel = driver.kernel
    start = kernel.start

    def changed(started: Any) -> None:
        start(started)
        if kernel.core is not None:
            change(kernel.core)

    kernel.start = changed  # type: ignore[method-assign]


def _own_vote_at_once(core: Core) -> None:
    elections = core._elections
    campaign = elections.campaign

    def eager(*, transfer: bool) -> None:
        campaign(transfer=transfer)
        elections._own_vote_ticket = 0
        if elections.persisted():
            core._lead()

    elections.campaign = eager  # type: ignore[method-assign]


def _entries_unawaited(core: Core) -> None:
    core._s.log.ticket_for = lambda offset: 0  # type: ignore[method-assign]


def _own_match_at_once(core: Core) -> None:
    lead = core._lead

    def eager() -> None:
        lead()
        leader, log = core._leader, core._s.log
        if leader is None:
            return
        advance = leader.advance_commit

        def counting_all() -> None:
            durable, log.durable = log.durable, log.last
            advance()
            log.durable = durable

        leader.advance_commit = counting_all  # type: ignore[method-assign]

    core._lead = eager  # type: ignore[method-assign]


def _answers_at_once(driver: Driver, method: str) -> None:
    ledger = driver._callers.ledger
    register = getattr(ledger, method)

    def eager(promise: Promise) -> None:
        reply, promise.reply = promise.reply, None
        register(promise)
        if reply is not None:
            reply(promise.result)

    setattr(ledger, method, eager)


def _adopted_at_once(driver: Driver) -> None:
    founding = driver._founding
    adopt = founding.adopt

    def eager(cluster_id: Any, lineage: Any, reply: Any) -> None:
        adopt(cluster_id, lineage, lambda _: None)
        reply(True)

    founding.adopt = eager  # type: ignore[method-assign]


def _founded_at_once(driver: Driver) -> None:
    founding = driver._founding
    bootstrap = founding.bootstrap

    def eager(request: Any, reply: Any) -> None:
        bootstrap(request, lambda _: None)
        reply(Done(done=True, detail="founded"))

    founding.bootstrap = eager  # type: ignore[method-assign]


def _first_entry_unawaited(driver: Driver) -> None:
    founding = driver._founding
    write = founding._write_first_entry

    def eager(cluster_id: Any, lineage: Any) -> None:
        write(cluster_id, lineage)
        founding.first_entry_persisted()

    founding._write_first_entry = eager  # type: ignore[method-assign]


WAITS: dict[str, Without] = {
    "a vote, for term and vote": lambda d: _unheld(d, VoteReply, granted=True, pre=False),
    "a refused vote, for its term": lambda d: _unheld(d, VoteReply, granted=False),
    "a candidate's question, for its own vote": lambda d: _unheld(d, RequestVote, pre=False),
    "a candidate's own vote": lambda d: _in_core(d, _own_vote_at_once),
    "an append reply, for the entries": lambda d: _in_core(d, _entries_unawaited),
    "an append reply, for its term": lambda d: _unheld(d, AppendReply, ok=True),
    "an append reply that differs, for its term": lambda d: _unheld(d, AppendReply, ok=False),
    "a heartbeat's reply, for its term": lambda d: _unheld(d, HeartbeatReply),
    "an answer to a read, for its term": lambda d: _unheld(d, ReadIndexReply),
    "the leader's own copy": lambda d: _in_core(d, _own_match_at_once),
    "an append's answer, for its commit": lambda d: _answers_at_once(d, "add"),
    "a repeated append's answer, for its commit": lambda d: _answers_at_once(d, "repeat"),
    "an adoption's answer, for the identity": _adopted_at_once,
    "a founding's answer, for the first entry": _founded_at_once,
    "the core's start, for the first entry": _first_entry_unawaited,
}
"""Every wait for the disk in driver and core, by what waits for what."""
