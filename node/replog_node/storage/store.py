"""The one door to what is durable.

Order within a write: term and vote, then the truncation, then all entries in one write with one
sync. Nothing a caller is told to be durable depends on anything that isn't.

Decides: what is checked before anything is written, and that a failed disk is never used again.
Must not know: who asked, when, in which thread. All calls but `read` come from one thread at a
time; `read` may come from any, beside them.
Read next: log.py, recovery.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from replog_node.frames.decode import succeeds, tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ORIGIN, ClusterId, Lineage, MemberId, Offset, Position
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState, LogBounds
from replog_node.raft.messages import Incarnation
from replog_node.storage.checked import TEMPORARY
from replog_node.storage.disk import Disk, DiskError, Sync
from replog_node.storage.errors import (
    ChainBroken,
    IdentityDamaged,
    LogDamaged,
    StorageFailed,
    StoreMisused,
)
from replog_node.storage.hardstate import HardStateFiles, create_hard_state, load_hard_state
from replog_node.storage.identity import IDENTITY_NAME, Identity, load_identity, save_identity
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import Cut, Log, Random64
from replog_node.storage.reader import read_entries
from replog_node.storage.recovery import begin_log, discard_begun_log, recover_log
from replog_node.storage.segment import is_segment

_EMPTY = Tail(ORIGIN, b"", 0)
"""The tail of a member that has no log yet: nothing can follow it."""


class Recovered(msgspec.Struct, frozen=True):
    """What a member finds of itself at start; all of it is durable.

    cluster_id, lineage: None while unassigned; then the log is empty. founding: the operation
    with which this member founded its cluster, "" if it joined it. removed: it was, for good.
    """

    member: MemberId
    cluster_id: ClusterId | None
    lineage: Lineage | None
    incarnation: Incarnation
    hard_state: HardState
    log: LogBounds
    founding: str = ""
    removed: bool = False


class Merged(msgspec.Struct, frozen=True):
    """Several Persists as one: what they leave, without what a later one takes back."""

    hard_state: HardState | None = None
    truncate_to: Position | None = None
    entries: tuple[Entry, ...] = ()


def open_store(
    disk: Disk,
    limits: StoreLimits,
    *,
    new_member_id: Callable[[], MemberId],
    random64: Random64,
) -> "Store":
    """Recover what the directory holds, or make it a new member's, and begin an incarnation.

    Raises LogDamaged, VoteStateLost, IdentityDamaged, FormatUnknown (nothing of the log was
    changed), or StorageFailed; then the disk is the caller's to close. Dying anywhere within and
    opening again is harmless.
    """
    with _failing():
        names = _remove_temporary(disk)
        if IDENTITY_NAME not in names:
            _create_member(disk, names, new_member_id)
        identity = load_identity(disk)
        hard_state = load_hard_state(disk, identity.member)
        log = _open_log(disk, limits, random64, identity.cluster_id)
        identity = msgspec.structs.replace(identity, incarnation=identity.incarnation + 1)
        save_identity(disk, identity)
    return Store(disk, limits, random64, identity=identity, hard_state=hard_state, log=log)


class Store:
    """One member's durable state, open. After StorageFailed every call raises it again."""

    def __init__(
        self,
        disk: Disk,
        limits: StoreLimits,
        random64: Random64,
        *,
        identity: Identity,
        hard_state: HardStateFiles,
        log: Log | None,
    ) -> None:
        """Use open_store."""
        self._disk = disk
        self._limits = limits
        self._random64 = random64
        self._identity = identity
        self._hard_state = hard_state
        self._log = log
        self._failed: str | None = None
        self.recovered = Recovered(
            member=identity.member,
            cluster_id=identity.cluster_id,
            lineage=identity.lineage,
            incarnation=Incarnation(identity.incarnation, random64()),
            hard_state=hard_state.state,
            log=_bounds(log),
            founding=identity.founding,
            removed=identity.removed,
        )

    @property
    def tail(self) -> Tail:
        """What the next entry must follow: the durable end of the log."""
        return _EMPTY if self._log is None else self._log.tail

    @property
    def hard_state(self) -> HardState:
        """The durable term and vote."""
        return self._hard_state.state

    def write(self, persists: Sequence[Persist]) -> None:
        """Make all of these durable, as if one after the other; on return they are.

        Raises, with nothing written: ChainBroken if entries don't follow the tail, StoreMisused
        for a broken promise, a truncation at no entry's end, or entries before an assignment.
        Raises StorageFailed when the disk refuses; then some of it may be durable.
        """
        with self._guarded():
            merged = merge(persists)
            if merged.hard_state is not None:
                self._hard_state.check(merged.hard_state)
            cut = self._plan_cut(merged.truncate_to)
            _check_chain(self.tail if cut is None else cut.tail, merged.entries)
            if merged.hard_state is not None:
                self._hard_state.save(merged.hard_state)
            if cut is not None:
                self._assigned().truncate(cut)
            if merged.entries:
                self._assigned().append(merged.entries)

    def write_idle_mark(self) -> None:
        """Say on disk that the whole log is durable, if it doesn't say so yet.

        For when the log has been idle (50 ms): without it a restart can't tell its last block
        from a torn one. Raises StorageFailed.
        """
        with self._guarded():
            if self._log is not None:
                self._log.write_mark()

    def read(self, at: Offset, max_bytes: int) -> tuple[Entry, ...]:
        """Return the entry that holds `at`, then those after it while all fit into `max_bytes`.

        Only durable entries, each one proven; nothing if there is none at `at`. Any thread may
        call this beside a write. Raises LogDamaged when the disk no longer gives what it was
        given, ReadRefused when it gives nothing now; neither is the end of the store. Raises
        StorageFailed after a write failed.
        """
        self._check_usable()
        log = self._log
        while log is not None:
            view = log.view
            try:
                return read_entries(
                    self._disk,
                    view,
                    at,
                    max_bytes=max_bytes,
                    read_bytes=self._limits.read_bytes,
                )
            except LogDamaged:
                if log.view.generation == view.generation:
                    raise  # else a truncation took it away meanwhile: look again
        return ()

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str = "") -> None:
        """Make this member belong to a cluster and lineage, durably and for good.

        founding: the operation, if it founds the cluster.

        Repeating it is harmless; another cluster or lineage raises StoreMisused. The log's first
        segment is made before the identity says that there is one, so that a missing log is
        noticed. Raises StorageFailed.
        """
        with self._guarded():
            held = self._identity
            if (held.cluster_id, held.lineage) == (cluster_id, lineage):
                return
            if held.cluster_id is not None:
                raise StoreMisused(f"assigned to {held.cluster_id} {held.lineage} already")
            log = begin_log(self._disk, self._limits, self._random64, cluster_id)
            identity = msgspec.structs.replace(
                held, cluster_id=cluster_id, lineage=lineage, founding=founding
            )
            save_identity(self._disk, identity)
            self._identity, self._log = identity, log

    def park(self) -> None:
        """Remember durably that the cluster has removed this member. Repeating it is harmless."""
        with self._guarded():
            if not self._identity.removed:
                identity = msgspec.structs.replace(self._identity, removed=True)
                save_identity(self._disk, identity)
                self._identity = identity

    def close(self) -> None:
        """Give files and directory back. What was not marked yet is proven at the next start."""
        self._hard_state.close()
        if self._log is not None:
            self._log.close()
        self._disk.close()
        self._failed = self._failed or "the store is closed"

    def _plan_cut(self, to: Position | None) -> Cut | None:
        if to is None or to == self.tail.position:
            return None
        return self._assigned().plan_cut(to)

    def _assigned(self) -> Log:
        if self._log is None:
            raise StoreMisused("this member is assigned to no cluster, so it has no log")
        return self._log

    def _check_usable(self) -> None:
        if self._failed is not None:
            raise StorageFailed(self._failed)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Refuse when failed; fail for good when the disk refuses or the unforeseen happens."""
        self._check_usable()
        try:
            with _failing():
                yield
        except (ChainBroken, StoreMisused):
            raise
        except BaseException as problem:
            self._failed = str(problem) or type(problem).__name__
            raise


def merge(persists: Sequence[Persist]) -> Merged:
    """Return what these leave, carried out in order."""
    hard_state: HardState | None = None
    truncate_to: Position | None = None
    entries: list[Entry] = []
    for persist in persists:
        hard_state = persist.hard_state or hard_state
        cut = persist.truncate_to
        if cut is not None and entries and cut.offset >= entries[0].base:
            entries = _cut_entries(entries, cut)
        elif cut is not None:
            truncate_to, entries = cut, []
        entries += persist.entries
    return Merged(hard_state, truncate_to, tuple(entries))


def _cut_entries(entries: list[Entry], cut: Position) -> list[Entry]:
    kept = [entry for entry in entries if entry.last <= cut.offset]
    if not kept or kept[-1].position != cut:
        raise StoreMisused(f"no entry ends at {cut}")
    return kept


def _check_chain(tail: Tail, entries: Sequence[Entry]) -> None:
    for entry in entries:
        if not succeeds(tail, entry):
            raise ChainBroken(f"the entry at offset {entry.base} doesn't follow {tail.position}")
        tail = tail_of(entry)


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except DiskError as problem:
        reason = f"the disk is full: {problem}" if problem.full else str(problem)
        raise StorageFailed(reason) from problem


def _remove_temporary(disk: Disk) -> tuple[str, ...]:
    names = disk.names()
    for name in names:
        if name.endswith(TEMPORARY):
            disk.remove(name)
    return tuple(name for name in names if not name.endswith(TEMPORARY))


def _create_member(disk: Disk, names: Sequence[str], new_member_id: Callable[[], MemberId]) -> None:
    """Make an empty directory a member's: the identity comes last, so it vouches for the rest."""
    if any(map(is_segment, names)):
        raise IdentityDamaged(f"{IDENTITY_NAME} is missing, but there is a log")
    member = new_member_id()
    create_hard_state(disk, member)
    disk.sync_directory(Sync.MEMBER_NAMES)
    save_identity(disk, Identity(member))


def _open_log(
    disk: Disk, limits: StoreLimits, random64: Random64, cluster_id: ClusterId | None
) -> Log | None:
    if cluster_id is None:
        discard_begun_log(disk)
        return None
    return recover_log(disk, limits, random64, cluster_id)


def _bounds(log: Log | None) -> LogBounds:
    """Return what the core must know of the log, gathered from the segments' summaries."""
    if log is None:
        return LogBounds(_EMPTY)
    summaries = [segment.summary for segment in (*log.view.sealed, log.view.active)]
    starts = {term: at for s in reversed(summaries) for term, at in reversed(s.term_starts)}
    return LogBounds(
        tail=log.tail,
        term_starts=tuple(sorted(starts.items())),
        configurations=tuple(found for s in summaries for found in s.configurations),
    )
