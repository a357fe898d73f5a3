"""The core with its ports: events in, effects carried out in their order.

Decides: that a message which promises something leaves only after the disk has it (effects.Send),
and that nothing steps the core while effects are still being carried out.
Must not know: clients, admission, what is applied.
Read next: driver.py, ../raft/effects.py.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from replog_node.driver.flight import Flight
from replog_node.driver.ports import ClockPort, NetworkPort, StoragePort
from replog_node.driver.wire import encode
from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry, Framer, Payload
from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import ORIGIN, MemberId, Offset, Position, Term
from replog_node.raft.core import Core
from replog_node.raft.effects import (
    Accepted,
    Commit,
    Effect,
    InstallSnapshot,
    Persist,
    Rejected,
    Send,
)
from replog_node.raft.events import Event, PeerSpeaks, Persisted, Proposed, Started
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import AppendEntries, AppendReply, Envelope, Incarnation
from replog_node.raft.state import LEADER
from replog_node.raft.violation import InvariantViolation

_BULK: Final = (AppendEntries, AppendReply)
"""Messages that travel beside the data; all others are small and must not wait behind it."""

FOUNDING_TICKET: Final = 0
"""The ticket of the founding entry's write, which no core asked for; a core's begin with 1."""

HELD_MAX: Final = 10_000
"""Messages that wait for the disk; past it the oldest is lost, as any message may be."""


class Kernel:
    """One member's core (none while it is unassigned) and the ports that its effects need."""

    def __init__(
        self,
        member: MemberId,
        incarnation: Incarnation,
        *,
        framer: Framer,
        limits: CoreLimits,
        storage: StoragePort,
        network: NetworkPort,
        clock: ClockPort,
        on_effect: Callable[[Effect], None],
        flight: Flight,
    ) -> None:
        self.member = member
        self.incarnation = incarnation
        self.storage = storage
        self.network = network
        self.clock = clock
        self.flight = flight
        self.core: Core | None = None
        self.committed: Position = ORIGIN
        self.persisted_ticket = 0
        self.ticket = 0
        self._framer = framer
        self._limits = limits
        self._on_effect = on_effect
        self._held: deque[Send] = deque(maxlen=HELD_MAX)
        self._busy = False
        self._spoken: dict[MemberId, int] = {}

    def start(self, started: Started) -> None:
        """Begin with what the disk holds."""
        self.core = Core(started, self._framer, self._limits)
        self.flight.begin(self.core)
        self.committed = started.log.committed
        for member, level in self._spoken.items():
            self.run(PeerSpeaks(member, level))

    def stop(self) -> None:
        """Never step the core again (removed for good, fenced, stopped, failed)."""
        self.core = None
        self._held.clear()

    def peer_speaks(self, member: MemberId, level: int) -> None:
        """A member speaks up to this feature level; a core that starts later hears of it, too."""
        self._spoken.pop(member, None)
        self._spoken[member] = level
        if len(self._spoken) > self._limits.peers_max:
            del self._spoken[next(iter(self._spoken))]
        self.run(PeerSpeaks(member, level))

    @property
    def spoken_level(self) -> int:
        """The feature level that this build speaks."""
        return self._limits.feature_level

    @property
    def leading(self) -> bool:
        """Whether this member is the leader of its term, as far as it knows."""
        return self.core is not None and self.core.role == LEADER

    @property
    def leader(self) -> MemberId | None:
        """The leader that this member knows."""
        return None if self.core is None else self.core.leader

    def configuration(self) -> Configuration | None:
        """The configuration in force here, committed or not."""
        return None if self.core is None else self.core.configuration

    def configuration_offset(self) -> Offset:
        """The offset of its record; -1 without one."""
        return Offset(-1) if self.core is None else self.core.configuration_offset

    def feature_level(self) -> int:
        """The feature level of the configuration in force, committed or not."""
        configuration = self.configuration()
        return FIRST_LEVEL if configuration is None else configuration.feature_level

    def term(self) -> Term:
        """The current term; 0 without a core."""
        return Term(0) if self.core is None else self.core.term

    def next_offset(self) -> Offset:
        """The offset that the next record appended here gets; 0 without a core."""
        return Offset(0 if self.core is None else self.core.tail.position.offset + 1)

    def log_begins_after(self) -> Position:
        """The entry end after which this member's log begins; ORIGIN without a core."""
        return ORIGIN if self.core is None else self.core.start

    def log_time_ms(self) -> int:
        """The append time of the last entry in this member's log."""
        return 0 if self.core is None else self.core.tail.append_time_ms

    def term_at(self, offset: Offset) -> Term | None:
        """The term of the entry that holds `offset` in this member's log."""
        return None if self.core is None else self.core.term_at(offset)

    def propose(self, payload: Payload) -> Entry:
        """Append an entry; only while the core is admitting, which is asked right before."""
        verdict = self.run(Proposed(payload, self.clock.wall_ms()))
        if not isinstance(verdict, Accepted):
            raise InvariantViolation(f"the core was admitting and answered {verdict}")
        return verdict.entry

    def run(self, event: Event) -> Accepted | Rejected | None:
        """Step the core and carry out its effects; returns its verdict on a request, if any.

        Whatever the step, or what carries it out, raises: there is no core any more.
        """
        if self._busy:
            raise InvariantViolation(f"{type(event).__name__} while effects are carried out")
        if self.core is None:
            return None
        verdict: Accepted | Rejected | None = None
        self._busy = True
        try:
            for effect in self.flight.step(self.core, event):
                if isinstance(effect, Accepted | Rejected):
                    verdict = effect
                else:
                    self._carry_out(effect)
        except Exception:
            self.stop()  # what it asked for is lost with the step, or with those that follow
            raise
        finally:
            self._busy = False
        return verdict

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Persist():
                self.ticket = effect.ticket
                self.storage.write(effect)
            case InstallSnapshot():
                self.ticket = effect.ticket
                self.storage.install(effect)
                self._on_effect(effect)
            case Send():
                self._send_in_order(effect)
            case Commit():
                self.committed = effect.position
            case _:
                self._on_effect(effect)

    def _send_in_order(self, send: Send) -> None:
        """Send now, or hold until the disk has what the message promises."""
        if send.after_ticket > self.persisted_ticket:
            self._held.append(send)
        else:
            self._send(send)

    def _send(self, send: Send) -> None:
        envelope = Envelope(
            self.member, send.to, self.incarnation, send.to_incarnation, send.message
        )
        message = send.message
        news = not message.entries if isinstance(message, AppendEntries) else None
        self.network.send(send.to, encode(envelope), bulk=isinstance(message, _BULK), news=news)

    def persisted(self, ticket: int) -> None:
        """The disk has everything up to this ticket: let go what waited for it, tell the core."""
        if ticket <= self.persisted_ticket:
            return
        self.persisted_ticket = ticket
        held, self._held = self._held, deque(maxlen=HELD_MAX)
        for send in held:
            self._send_in_order(send)
        self.run(Persisted(ticket))
