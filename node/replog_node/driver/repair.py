"""Filling the holes of this member's log from the others, and giving them what theirs lack.

One hole at a time, from its front: one member is asked for a bounded piece, then the next one,
until the hole is filled. What comes is believed for its chain alone (storage/repair.py), so any
member may be asked, whoever leads, and what it has not committed fits only if it is the same.

A hole that a start finds may hide a change of term or configuration. So the core begins only after
all of those are filled: until then this member asks and answers, but neither votes nor
acknowledges. A hole that is found later hides nothing, since the core has it all in memory.

Decides: whom to ask, for how much, when to ask again, and when nobody can help.
Must not know: files. Read next: messages.py, ../storage/repair.py.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from replog_node.driver.kernel import Kernel
from replog_node.driver.messages import EntriesFetched, FetchEntries
from replog_node.driver.ports import ObserverPort
from replog_node.driver.reading import DiskReads
from replog_node.driver.wire import encode
from replog_node.frames.decode import tail_of
from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset
from replog_node.raft.events import LogBounds
from replog_node.storage.damage import Damage
from replog_node.storage.errors import ChainBroken
from replog_node.storage.repair import check_fill
from replog_node.storage.summary import Hole

PIECE_BYTES: Final = 1024 * 1024
"""Entries asked for at once, and given at most; a single one may be larger."""

FILL_BYTES: Final = 32 * 1024 * 1024
"""Entries gathered before they are written, since each writing takes the segment's bytes again."""

ANSWER_S: Final = 5.0
"""How long one member's answer is waited for."""

AGAIN_MIN_S: Final = 0.5
AGAIN_MAX_S: Final = 30.0
"""How long nobody is asked after all were asked in vain: twice as long each time."""

KNOWN_MAX: Final = 64
"""Members remembered from their messages, beside those of the configuration."""

SERVED_MAX: Final = 16
"""Reads for others that may wait for the disk; who asks beyond that asks again."""


class _Asked(msgspec.Struct):
    """The one request that is out."""

    id: int
    member: MemberId
    deadline_s: float


class Repairs:
    """Both sides. `holding`: the core waits for the holes that the start found."""

    def __init__(
        self, kernel: Kernel, disk_reads: DiskReads, observer: ObserverPort,
        whole: Callable[[LogBounds], None],
    ) -> None:  # fmt: skip
        """whole: called with the log's bounds once the holes of the start are filled."""
        self._kernel = kernel
        self._disk_reads = disk_reads
        self._observer = observer
        self._whole = whole
        self._configuration: Configuration | None = None
        self._known: dict[MemberId, None] = {}
        self._tried: set[MemberId] = set()
        self._asked: _Asked | None = None
        self._gathered: list[Entry] = []
        self._writing = False
        self._next_id = 0
        self._again_s = 0.0
        self._since_s = 0.0
        self._pause_s = AGAIN_MIN_S
        self._rested = False
        self._serving = 0
        self.holding = False
        self.holes: tuple[Hole, ...] = ()
        self.in_vain = False

    # What is known of the damage.

    def hold(self, holes: tuple[Hole, ...], log: LogBounds) -> None:
        """The start found these: fill them before the core begins."""
        self.holding = True
        self._configuration = log.configurations[-1][1] if log.configurations else None
        self._take(holes)

    def told(self, damage: Damage) -> None:
        """The disk says how it is now: after a repair, or because damage was found."""
        if damage.holes != self.holes:
            self._take(damage.holes)
        elif self._writing:
            self._pause(self._kernel.clock.monotonic_s())  # it was refused
        self._writing = False
        if self.holding and not damage.holes:
            self.holding = False
            self._whole(damage.log)
        self.tell(damage)

    def tell(self, damage: Damage) -> None:
        """Let the core know, if it doesn't yet."""
        core = self._kernel.core
        if core is None:
            return
        first = damage.holes[0].start if damage.holes else None
        state = msgspec.structs.replace(core.disk, first_hole=first, unproven=damage.unproven)
        if state != core.disk:
            self._kernel.run(state)

    def _take(self, holes: tuple[Hole, ...]) -> None:
        for hole in holes:
            if hole not in self.holes:
                self._note("warning", "log_hole", hole)
        if self.holes and not holes:
            self._observer.note("info", "log_whole")
        self.holes = holes
        self._tried.clear()
        self._gathered.clear()
        self._asked = None
        self.in_vain = self._rested = False
        self._since_s = self._kernel.clock.monotonic_s()
        self._pause_s, self._again_s = AGAIN_MIN_S, 0.0

    def _note(self, level: str, event: str, hole: Hole) -> None:
        self._observer.note(level, event, segment=hole.segment, first=hole.start, last=hole.end)

    # Whom to ask.

    def heard(self, member: MemberId) -> None:
        """This member is there: it can be asked, also if it was in vain when last it was away."""
        if member not in self._known and len(self._known) < KNOWN_MAX:
            self._known[member] = None

    def connected(self, member: MemberId) -> None:
        """A connection to the member was made: what it didn't answer before it may answer now."""
        self.heard(member)
        self._tried.discard(member)
        self._again_s = 0.0

    def lost(self, member: MemberId) -> None:
        """The connection to the member is gone, and with it what was asked."""
        if self._asked is not None and self._asked.member == member:
            self._asked = None
            self._tried.add(member)

    def peers(self) -> dict[MemberId, str]:
        """Whom to be connected with while there is no core to say so."""
        if not self.holding or self._configuration is None:
            return {}
        members = self._configuration.members
        return {m.id: m.address for m in members if m.id != self._kernel.member}

    def _candidates(self) -> list[MemberId]:
        configuration = self._kernel.configuration() or self._configuration
        named = () if configuration is None else tuple(m.id for m in configuration.members)
        everybody = dict.fromkeys((*named, *self._known))
        return [m for m in everybody if m != self._kernel.member and m not in self._tried]

    # Asking.

    def tick(self) -> None:
        """Give up on who doesn't answer, and ask the next one."""
        now_s = self._kernel.clock.monotonic_s()
        if self._asked is not None and now_s >= self._asked.deadline_s:
            self._tried.add(self._asked.member)
            self._asked = None
        if self._rested and not self.in_vain and now_s - self._since_s >= ANSWER_S:
            self.in_vain = True
            self._note("error", "log_hole_unfillable", self.holes[0])
        self.ask()

    def ask(self) -> None:
        """Ask somebody for the front of the first hole, unless that was done or must wait."""
        now_s = self._kernel.clock.monotonic_s()
        if not self.holes or self._asked is not None or self._writing or now_s < self._again_s:
            return
        for member in self._candidates():
            if self._send(member, now_s):
                return
            self._tried.add(member)
        self._rest(now_s)

    def _rest(self, now_s: float) -> None:
        """All were asked: what was gathered is worth writing; if there is nothing, wait."""
        self._tried.clear()
        if self._gathered:
            self._write()
            return
        self._rested = True
        self._pause(now_s)

    def _pause(self, now_s: float) -> None:
        self._again_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, AGAIN_MAX_S)

    def _send(self, member: MemberId, now_s: float) -> bool:
        hole = self._rest_of_hole()
        self._next_id += 1
        request = FetchEntries(
            self._kernel.member,
            member,
            self._kernel.incarnation,
            self._next_id,
            hole.start,
            hole.end,
            PIECE_BYTES,
        )
        if not self._kernel.network.send(member, encode(request), bulk=True):
            return False
        self._asked = _Asked(self._next_id, member, now_s + ANSWER_S)
        return True

    def _rest_of_hole(self) -> Hole:
        """What the first hole will be once the gathered entries are written."""
        hole = self.holes[0]
        if not self._gathered:
            return hole
        tail = tail_of(self._gathered[-1])
        return msgspec.structs.replace(hole, start=Offset(tail.position.offset + 1), before=tail)

    def fetched(self, message: EntriesFetched) -> None:
        """An answer; one to another question moves nothing."""
        asked = self._asked
        if (
            asked is None
            or (message.sender, message.id) != (asked.member, asked.id)
            or message.to_incarnation != self._kernel.incarnation
        ):
            return
        self._asked = None
        try:
            check_fill(self._rest_of_hole(), message.entries)
        except ChainBroken:
            self._tried.add(asked.member)  # it lacks them, or has others
        else:
            self._gathered += message.entries
            self._after_gathering()
        self.ask()

    def _after_gathering(self) -> None:
        size_bytes = sum(entry.size_bytes for entry in self._gathered)
        if self._gathered[-1].last == self.holes[0].end or size_bytes >= FILL_BYTES:
            self._write()

    def _write(self) -> None:
        entries, self._gathered = tuple(self._gathered), []
        self._writing = True
        self._kernel.storage.repair(self.holes[0], entries)

    # Answering.

    def serve(self, message: FetchEntries) -> None:
        """Give another member what it lacks, as far as this one has it on its disk."""
        if self._serving >= SERVED_MAX:
            return
        self._serving += 1

        def answer(found: tuple[Entry, ...] | None) -> None:
            self._serving -= 1
            entries = tuple(e for e in found or () if e.last <= message.to_offset)
            if entries and entries[0].base != message.from_offset:
                entries = ()
            reply = EntriesFetched(
                self._kernel.member,
                message.sender,
                self._kernel.incarnation,
                message.incarnation,
                message.id,
                entries,
            )
            self._kernel.network.send(message.sender, encode(reply), bulk=True)

        at = Offset(max(0, message.from_offset))
        self._disk_reads.ask(at, min(message.max_bytes, PIECE_BYTES), answer)
