"""The room on disks: this member's, as the core is to know it, and who has too little.

Decides: when the core is told, and what is said of a member short of space.
Must not know: how room is measured (storage/reserve.py), who commits what (../raft/leader.py).
Read next: obstacles.py, waits.py.
"""

from typing import Final

import msgspec

from replog_node.driver.kernel import Kernel
from replog_node.driver.ports import ObserverPort
from replog_node.model.positions import MemberId
from replog_node.raft.events import DiskState
from replog_node.raft.messages import AppendEntries, Envelope
from replog_node.raft.state import CoreStatus, MemberProgress
from replog_node.storage.reserve import DiskSpace

_LEVELS: Final = {"disk_full": "error", "disk_low": "warning", "disk_roomy": "info"}


class Space:
    """This member's room; None was told while `own` is None.

    Catching up never takes the spare, which is for what a quorum still has to commit: a member
    that is tight and gets what is committed already is full for its core, until it has room again.
    """

    def __init__(self, kernel: Kernel, observer: ObserverPort) -> None:
        self._kernel = kernel
        self._observer = observer
        self.own: DiskSpace | None = None
        self._catching_up = False

    def told(self, space: DiskSpace) -> None:
        """The disk has this much room now."""
        before, self.own = self.own, space
        self._catching_up = self._catching_up and space.tight
        event = _event(space)
        if event != ("disk_roomy" if before is None else _event(before)):
            self._observer.note(_LEVELS[event], event, free_bytes=space.free_bytes)
        self.tell()

    def hear(self, envelope: Envelope) -> None:
        """Look at what a leader sends, before the core does."""
        message = envelope.message
        if self.own is not None and self.own.tight and isinstance(message, AppendEntries):
            entries = message.entries
            if entries and entries[-1].last <= message.commit and not self._catching_up:
                self._catching_up = True
                self.tell()

    def tell(self) -> None:
        """Let the core know, if it doesn't yet: while a member is unassigned it has none."""
        core, own = self._kernel.core, self.own
        if core is None or own is None:
            return
        known = core.disk
        state = msgspec.structs.replace(
            known, free_bytes=own.free_bytes, low=own.low, full=own.full or self._catching_up
        )
        if state != known:
            self._kernel.run(state)


def _event(space: DiskSpace) -> str:
    return "disk_full" if space.full else "disk_low" if space.low else "disk_roomy"


def short_of_space(core: CoreStatus) -> list[tuple[MemberId, str]]:
    """Return who has too little room, as far as this member knows, with words about each."""
    known: dict[MemberId, DiskState | MemberProgress] = {core.member: core.disk, **core.progress}
    return [(member, _words(disk)) for member, disk in known.items() if disk.low or disk.full]


def _words(disk: DiskState | MemberProgress) -> str:
    full = ", takes nothing more" if disk.full else ""
    return f"{max(0, disk.free_bytes) // 1024} KiB free{full}"
