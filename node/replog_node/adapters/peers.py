"""The other members: connections to and from each, as the driver's network port.

Each member sends only on connections that it dialed (links.py) and receives on those it accepted.
A member is *up* while both its connections of both directions stand; when any of the four changes,
it goes down and comes up again, because what was in flight is lost. A member outside of the
configuration is dialed back while it is connected and there is something to say to it: so one that
was just adopted can answer before it knows any configuration.

Decides: who is dialed, who is let in, when a member is up.
Must not know: what messages say. `send` and `connect` never call the listener.
Read next: hello.py, links.py, doors.py, seeds.py, book.py.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from replog_node.adapters.book import AddressBook
from replog_node.adapters.doors import Accepted, Doors, Handler, Notes
from replog_node.adapters.guard import OnFailure, guarded
from replog_node.adapters.hello import (
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    Accept,
    Hello,
    HelloAnswer,
    Refuse,
    Verdict,
)
from replog_node.adapters.links import (
    Dialer,
    Link,
    LinkState,
)
from replog_node.adapters.seeds import Seeds
from replog_node.driver.messages import Message
from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import ClusterId, Lineage, MemberId
from replog_node.raft.messages import Incarnation

PEERS_MAX: Final = 64
"""Members with accepted connections; one more is refused as `overloaded`."""

UNWANTED_S: Final = 60.0
"""How long after the last message to it a member outside of the configuration is still dialed."""

SWEEP_S: Final = 10.0


class Myself(msgspec.Struct, frozen=True, kw_only=True):
    """What of a hello stays the same while the process runs; addresses as others reach them.

    feature_level: the highest that this build speaks.
    """

    member: MemberId
    incarnation: Incarnation
    peer_address: str
    client_address: str
    feature_level: int


class Belonging(NamedTuple):
    """The cluster and the life of its log that this member belongs to, both None for none.

    feature_level: in force in that log, as far as this member knows.
    """

    cluster_id: ClusterId | None
    lineage: Lineage | None
    feature_level: int = FIRST_LEVEL


class PeerListener(Protocol):
    """Who is told, on the event loop (driver.Driver)."""

    def receive(self, message: Message) -> None:
        """A message from the member that it names as its sender."""

    def peer_up(self, member: MemberId) -> None:
        """Both directions stand; what was in flight before is lost."""

    def peer_down(self, member: MemberId) -> None:
        """They don't any more."""

    def peer_speaks(self, member: MemberId, feature_level: int) -> None:
        """Its build speaks up to this feature level; told before peer_up, and by who is refused."""

    def adopt(self, cluster_id: ClusterId, lineage: Lineage, reply: Callable[[bool], None]) -> None:
        """Belong to this cluster; reply once that is durable, or False if it can't be."""

    def fence(self, lineage: Lineage) -> None:
        """A newer life of the log exists."""


class _Peer:
    """One other member: wanted (in the configuration), accepted (it dialed), or both."""

    def __init__(self, member: MemberId) -> None:
        self.member = member
        self.wanted = False
        self.used_s = 0.0
        self.up = False
        self.link: Link | None = None
        self.accepted: dict[str, Accepted] = {}

    def stands(self) -> bool:
        """Whether all four connections do, and both accepted ones are of one process."""
        incarnations = {accepted.hello.incarnation for accepted in self.accepted.values()}
        ready = self.link is not None and self.link.state is LinkState.READY
        return ready and len(self.accepted) == 2 and len(incarnations) == 1


class Peers:
    """driver.ports.NetworkPort over WebSockets. Use: create, start, …, await close."""

    def __init__(
        self,
        myself: Myself,
        *,
        seeds: Sequence[str] = (),
        token: str | None = None,
        notes: Notes,
        on_failure: OnFailure,
        random: Random | None = None,
    ) -> None:
        """Call in the running event loop. token: of the permission peer, for the other side."""
        self._myself = myself
        self._notes = notes
        self._on_failure = on_failure
        self._random = Random() if random is None else random
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(self.greeting, token)
        self._seed_addresses = seeds
        self._seeds: Seeds | None = None
        self._book = AddressBook()
        self._peers: dict[MemberId, _Peer] = {}
        self._listener: PeerListener | None = None
        self._belongs: Callable[[], Belonging] = lambda: Belonging(None, None)
        self._doors = Doors(myself.member, self, notes)
        self._endings: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self, listener: PeerListener, belongs: Callable[[], Belonging]) -> None:
        """Begin to dial and to tell. belongs: asked at every hello."""
        self._listener = listener
        self._belongs = belongs
        if self._seed_addresses:
            self._seeds = Seeds(
                self._seed_addresses,
                self._dialer,
                self._somebody_is_missing,
                lambda answer: self._heard_of(answer.me),
                self.failed,
                self._random,
            )
        self._sweep()

    async def close(self) -> None:
        """Hang up everywhere; on return nothing of this is left. The listener hears no more."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._seeds is not None:
            await self._seeds.close()
        for peer in self._peers.values():
            self._drop_link(peer)
            for accepted in peer.accepted.values():
                self._end(accepted.close())
        await self._doors.close()
        while self._endings:
            await asyncio.wait(self._endings)
        await self._dialer.close()

    # The driver's port.

    def send(self, to: MemberId, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        """See NetworkPort."""
        peer = self._peers.get(to)
        if peer is None:
            return False
        peer.used_s = self._loop.time()
        if peer.link is None:
            self._settle(peer)
            return False
        return peer.link.send(message, bulk=bulk, news=news)

    def connect(self, peers: Mapping[MemberId, str]) -> None:
        """See NetworkPort."""
        self._book.configure(peers)
        for member in peers:
            if member not in self._peers and member != self._myself.member:
                self._peers[member] = _Peer(member)
        for peer in list(self._peers.values()):
            peer.wanted = peer.member in peers
            self._settle(peer)

    # What the rest of the node asks.

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The WebSocket handlers of the peer listener, by path."""
        return self._doors.handlers

    def client_addresses(self) -> dict[MemberId, str]:
        """host:port of the client listeners known, this member's own among them."""
        known = self._book.client_addresses()
        return {**known, self._myself.member: self._myself.client_address}

    @property
    def connected(self) -> int:
        """How many members both directions stand with."""
        return sum(peer.up for peer in self._peers.values())

    def unreachable(self) -> dict[MemberId, str]:
        """The members of the configuration that aren't up, and why as far as is known."""
        return {
            peer.member: (peer.link and peer.link.trouble) or "it has not dialed this member"
            for peer in self._peers.values()
            if peer.wanted and not peer.up
        }

    # Who is dialed.

    def _settle(self, peer: _Peer) -> None:
        """Make its link exist or not, as it should."""
        recently = self._loop.time() - peer.used_s < UNWANTED_S
        keep = peer.wanted or (bool(peer.accepted) and recently)
        if keep and peer.link is None and not self._closed:
            addresses = self._book.of
            member = peer.member
            peer.link = Link(member, lambda: addresses(member), self._dialer, self, self._random)
        elif not keep:
            self._drop_link(peer)
            if not peer.accepted:
                self._peers.pop(peer.member, None)

    def _drop_link(self, peer: _Peer) -> None:
        link, peer.link = peer.link, None
        if link is not None:
            self._end(self._close_link(peer, link))

    async def _close_link(self, peer: _Peer, link: Link) -> None:
        await link.close()
        self._disturbed(peer)

    def _sweep(self) -> None:
        for peer in list(self._peers.values()):
            self._settle(peer)
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)

    def _somebody_is_missing(self) -> bool:
        wanted = [peer for peer in self._peers.values() if peer.wanted]
        return not wanted or not all(peer.up for peer in wanted)

    def _heard_of(self, hello: Hello) -> None:
        """A member of this cluster, or of none yet, told where it is."""
        if hello.sender == self._myself.member:
            return
        self._book.learn(hello)
        peer = self._peers.get(hello.sender)
        if peer is not None and peer.link is not None:
            peer.link.nudge()

    # What links tell (links.LinkOwner).

    def answered(self, hello: Hello, answer: HelloAnswer, verdict: Verdict) -> None:
        """See LinkOwner."""
        if isinstance(verdict, Accept):
            self._book.learn(answer.me)
        else:
            if verdict.code == "feature_level_unsupported":
                self._told_spoken(answer.me)
            self.refused(verdict, hello.to, "refused_by_peer")

    def changed(self, link: Link) -> None:
        """See LinkOwner."""
        peer = self._peers.get(link.member)
        if peer is not None and peer.link is link:
            self._disturbed(peer, lost=link.state is LinkState.DOWN)

    def failed(self, problem: BaseException) -> None:
        """See LinkOwner."""
        self._on_failure(problem)

    def _disturbed(self, peer: _Peer, *, lost: bool = True) -> None:
        """One of its four connections changed; lost: what was said to it may be gone."""
        if peer.up or lost:
            self._tell_down(peer)
        if not peer.up and peer.stands():
            peer.up = True
            self._notes.note("info", "peer_up", member=peer.member)
            if self._listener is not None and not self._closed:
                guarded(self._on_failure, self._listener.peer_up, peer.member)

    def _tell_down(self, peer: _Peer) -> None:
        if peer.up:
            trouble = peer.link.trouble if peer.link is not None else "hung up"
            self._notes.note("info", "peer_down", member=peer.member, trouble=trouble)
        peer.up = False
        if self._listener is not None and not self._closed:
            guarded(self._on_failure, self._listener.peer_down, peer.member)

    # Who is let in (doors.Doorkeeper).

    def greeting(self, to: MemberId | None) -> Hello:
        """This member's hello, as of now, to somebody; None: to whoever is there."""
        cluster_id, lineage, in_force = self._belongs()
        return Hello(
            protocol_min=PROTOCOL_MIN,
            protocol_max=PROTOCOL_MAX,
            cluster_id=cluster_id,
            lineage=lineage,
            sender=self._myself.member,
            to=to,
            incarnation=self._myself.incarnation,
            feature_level=self._myself.feature_level,
            peer_address=self._myself.peer_address,
            client_address=self._myself.client_address,
            feature_level_in_force=in_force,
        )

    async def let_in(self, accepted: Accepted, accept: Accept) -> Verdict:
        """See Doorkeeper."""
        hello = accepted.hello
        if accept.adopt and not await self._adopt(hello):
            return Refuse("other_cluster", "this member is about to belong to another cluster")
        if accept.introduction:
            self._heard_of(hello)
            return accept
        peer = self._peers.get(hello.sender)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:
                return Refuse("overloaded", f"{len(self._peers)} members are connected")
            peer = self._peers[hello.sender] = _Peer(hello.sender)
        self._register(peer, accepted)
        return accept

    def _register(self, peer: _Peer, accepted: Accepted) -> None:
        replaced = peer.accepted.get(accepted.path)
        peer.accepted[accepted.path] = accepted
        peer.used_s = self._loop.time()
        if replaced is not None:
            self._end(replaced.close())
        self._heard_of(accepted.hello)
        self._told_spoken(accepted.hello)
        self._settle(peer)
        self._disturbed(peer, lost=False)

    def _told_spoken(self, hello: Hello) -> None:
        """Pass on what a member of this cluster speaks, or one that is kept out for just that."""
        if self._listener is not None and not self._closed:
            member, level = hello.sender, hello.feature_level
            guarded(self._on_failure, self._listener.peer_speaks, member, level)

    async def _adopt(self, hello: Hello) -> bool:
        """Belong to the caller's cluster; returns once that is durable, or can't be."""
        if self._listener is None or hello.cluster_id is None or hello.lineage is None:
            return False
        answer: asyncio.Future[bool] = self._loop.create_future()

        def reply(adopted: bool) -> None:
            if not answer.done():
                answer.set_result(adopted)

        guarded(self._on_failure, self._listener.adopt, hello.cluster_id, hello.lineage, reply)
        return await answer

    def refused(self, refusal: Refuse, member: MemberId | None, event: str) -> None:
        """See Doorkeeper."""
        self._notes.note("warning", event, member=member, code=refusal.code, detail=refusal.detail)
        if refusal.fence is not None and self._listener is not None:
            guarded(self._on_failure, self._listener.fence, refusal.fence)

    def received(self, message: Message) -> None:
        """See Doorkeeper."""
        if self._listener is not None and not self._closed:
            guarded(self._on_failure, self._listener.receive, message)

    def gone(self, accepted: Accepted) -> None:
        """See Doorkeeper."""
        peer = self._peers.get(accepted.hello.sender)
        if peer is None or peer.accepted.get(accepted.path) is not accepted:
            return  # a newer connection has taken its place
        del peer.accepted[accepted.path]
        self._disturbed(peer, lost=False)
        self._settle(peer)

    def _end(self, ending: Coroutine[Any, Any, None]) -> None:
        """Let something end beside; close() waits for it."""
        task = self._loop.create_task(ending)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
