"""Term and vote in two copies, so that no single fault makes a member vote twice in a term.

Both copies are written and synced, one after the other, before a promise. A write that is cut off
harms one copy at most; a copy that rots is replaced from the other. Term and vote are one record:
in two, a crash between them gives two votes in one term (hashicorp/raft 661).

Decides: the files `hardstate.a` and `hardstate.b`. Must not know: why a vote was given.
Read next: store.py.
"""

from typing import Final

import msgspec

from replog_node.model.positions import MemberId
from replog_node.raft.events import HardState
from replog_node.storage import checked
from replog_node.storage.disk import Disk, DiskError, File, Sync
from replog_node.storage.errors import StoreMisused, VoteStateLost

HARD_STATE_NAMES: Final = ("hardstate.a", "hardstate.b")
HARD_STATE_BYTES: Final = 512
"""One sector, so that a copy is old or new, and only a fault makes it neither."""

_KIND: Final = b"RLhs"


class _Copy(msgspec.Struct, frozen=True):
    """What one file holds. number: counts the writes, the higher is the newer."""

    member: MemberId
    number: int
    state: HardState


class HardStateFiles:
    """Both copies, open. `state` is what both hold durably."""

    def __init__(self, disk: Disk, newest: _Copy) -> None:
        """Open files that both hold `newest`."""
        self._copy = newest
        self._files: tuple[File, ...] = tuple(disk.open(name) for name in HARD_STATE_NAMES)

    @property
    def state(self) -> HardState:
        """The durable term and vote."""
        return self._copy.state

    def check(self, state: HardState) -> None:
        """Raise StoreMisused if `state` would break a promise: a lower term, a second vote."""
        held = self.state
        changed = held.voted_for is not None and state.voted_for != held.voted_for
        if state.current_term < held.current_term or (
            state.current_term == held.current_term and changed
        ):
            raise StoreMisused(f"{state} would break the promise {held}")

    def save(self, state: HardState) -> None:
        """Make term and vote durable in both copies, in turn. Raises DiskError."""
        if state == self.state:
            return
        copy = _Copy(self._copy.member, self._copy.number + 1, state)
        data = _packed(copy)
        for file in self._files:
            file.write(0, data)
            file.sync(Sync.VOTE)
        self._copy = copy

    def close(self) -> None:
        """Close both files."""
        for file in self._files:
            file.close()


def create_hard_state(disk: Disk, member: MemberId) -> None:
    """Write both copies of a member that never voted; the caller syncs the directory."""
    data = _packed(_Copy(member, 0, HardState()))
    for name in HARD_STATE_NAMES:
        checked.replace(disk, name, data, Sync.NEW_VOTE)


def load_hard_state(disk: Disk, member: MemberId) -> HardStateFiles:
    """Return the newest sound copy, after making both copies hold it durably.

    Both are replaced, sound or not: what was read may be in the page cache only. The caller syncs
    the directory before anybody hears of it (open_store saves the identity last). Raises
    VoteStateLost when neither copy is sound, DiskError.
    """
    found = (_read(disk, name, member) for name in HARD_STATE_NAMES)
    sound = [copy for copy in found if copy is not None]
    if not sound:
        raise VoteStateLost(
            f"neither {' nor '.join(HARD_STATE_NAMES)} is sound, so term and vote are unknown:"
            f" replace member {member} by one with an empty data directory"
        )
    newest = max(sound, key=lambda copy: copy.number)
    for name in HARD_STATE_NAMES:
        checked.replace(disk, name, _packed(newest), Sync.RENEWED_VOTE)
    return HardStateFiles(disk, newest)


def _packed(copy: _Copy) -> bytes:
    return checked.pack(_KIND, copy, padded_to=HARD_STATE_BYTES)


def _read(disk: Disk, name: str, member: MemberId) -> _Copy | None:
    try:
        copy = checked.unpack(_KIND, checked.read_whole(disk, name), _Copy, name)
    except checked.Unsound:
        return None
    except DiskError as problem:
        if problem.missing:
            return None
        raise
    return copy if copy.member == member else None


def check_copy(disk: Disk, name: str, member: MemberId) -> str:
    """Return what a copy says, as a sentence. Raises checked.Unsound, FormatUnknown, DiskError."""
    copy = checked.unpack(_KIND, checked.read_whole(disk, name), _Copy, name)
    if copy.member != member:
        raise checked.Unsound(f"it is of member {copy.member}")
    return f"term {copy.state.current_term}, voted for {copy.state.voted_for or 'nobody'}"
