"""A disk in memory that can crash: the Disk port for tests and for the deterministic simulator.

It keeps two worlds: what calls see (the page cache) and what is durable. `restart` is the crash of
a process: what calls saw stays. `lose_power` is the crash of the machine: every unsynced write is
kept or lost in each of its 512-byte sectors, every unsynced change of a length or of the directory
is kept or lost on its own, all chosen by the given random generator; a renaming that is kept may
leave the old name behind. A sync that fails drops what it should have written, as file systems do:
calls still see it, and no later sync writes it. A write that fails has done part of its work.

Decides: the fault model. Uses no clock and no global randomness.
Must not know: what the bytes mean.
Read next: ../unit/storage/crashing.py.
"""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Generic, NamedTuple, TypeVar

from replog_node.storage.disk import DiskError, Sync

SECTOR = 512


AnyInode = TypeVar("AnyInode")


class Crashed(Exception):
    """The process died in the middle of this disk operation, or (not `now`) is dead already."""

    def __init__(self, what: str, *, now: bool) -> None:
        super().__init__(what)
        self.now = now


class SyncSite(NamedTuple):
    """One sync of the product: why it is done, and of which copy where there are two."""

    why: Sync
    copy: str = ""


class Write(NamedTuple):
    at: int
    data: bytes


class Length(NamedTuple):
    size: int


class Link(NamedTuple, Generic[AnyInode]):
    name: str
    inode: AnyInode


class Unlink(NamedTuple):
    name: str


class Renaming(NamedTuple, Generic[AnyInode]):
    old: str
    new: str
    inode: AnyInode


Change = Link[AnyInode] | Unlink | Renaming[AnyInode]
"""A change of the directory."""


class Inode:
    """A file's bytes, whatever its name: as seen, as durable, and the way from one to the other.

    released: of how many zeros at its end the space was given back. rotten: the durable sectors
    that were damaged, until something else is durable there. former: what was durable before the
    last sync.
    """

    def __init__(self) -> None:
        self.seen = bytearray()
        self.durable = bytearray()
        self.former = b""
        self.unsynced: list[Write | Length] = []
        self.released = 0
        self.rotten: set[int] = set()

    def change(self, change: Write | Length) -> None:
        self.released = 0
        _apply(self.seen, change)
        self.unsynced.append(change)

    def sync(self) -> None:
        if self.unsynced:
            self.former = bytes(self.durable)
        for change in self.unsynced:
            self._settle(change)
        self.unsynced.clear()

    def rot(self, at: int, data: bytes) -> None:
        """Change bytes behind everybody's back."""
        for content in (self.seen, self.durable):
            _apply(content, Write(at, data))
        self.rotten.update(range(at // SECTOR, -(-(at + len(data)) // SECTOR)))

    def _settle(self, change: Write | Length) -> None:
        """Let a change be durable; what it replaces whole is rotten no more."""
        _apply(self.durable, change)
        size = len(self.durable)
        match change:
            case Write(at, data):
                first, last = -(-at // SECTOR), (at + len(data)) // SECTOR
                self.rotten.difference_update(range(first, last))
                if at + len(data) == size:
                    self.rotten.discard(last if first <= last else -1)
            case Length():
                self.rotten = {sector for sector in self.rotten if sector * SECTOR < size}

    def lose(self, random: Random, kept: float) -> None:
        for change in self.unsynced:
            for part in parts_of(change):
                if random.random() < kept:
                    self._settle(part)
        self.unsynced.clear()
        self.seen = bytearray(self.durable)


def _apply(content: bytearray, change: Write | Length) -> None:
    match change:
        case Write(at, data):
            content.extend(bytes(max(0, at + len(data) - len(content))))
            content[at : at + len(data)] = data
        case Length(size):
            del content[size:]
            content.extend(bytes(size - len(content)))


def parts_of(change: Write | Length) -> list[Write | Length]:
    """Return the change in the pieces that a power loss keeps or loses each on its own."""
    if isinstance(change, Length):
        return [change]
    at, data = change
    ends = [*range(at - at % SECTOR + SECTOR, at + len(data), SECTOR), at + len(data)]
    starts = [at, *ends[:-1]]
    return [Write(a, data[a - at : b - at]) for a, b in zip(starts, ends, strict=True)]


class SimDisk:
    """One data directory in memory.

    operations: how many calls that touch the disk there were; with `crash_at` = n the n-th one
    (from 1) raises Crashed, after doing part of its work if it is a write, and so does everything
    after it. calls, syncs: how often each kind of call and each sync was made. left_out: syncs that
    do nothing. fail: asked before each operation ("write segment.seg", "sync block …"); what it
    returns, if anything, is raised as a DiskError. stall_ms: grows by sync_ms for each sync, for a
    simulator to charge. capacity: bytes that all files together may have, None for no end of them;
    taken_bytes: what somebody else holds of that; on_full: called when there isn't enough. harmed:
    whether it was ever damaged; filled: whether something ever found no room.
    twist: what a read of a file, from a byte on, gives back instead of what is there.
    """

    def __init__(self) -> None:
        self.capacity: int | None = None
        self.taken_bytes = 0
        self.on_full: Callable[[], None] | None = None
        self.filled = False
        self.twist: Callable[[str, int, bytes], bytes] | None = None
        self.operations = 0
        self.crash_at: int | None = None
        self.crash_random = Random(0)
        self.calls: Counter[str] = Counter()
        self.syncs: Counter[SyncSite] = Counter()
        self.left_out: frozenset[SyncSite] = frozenset()
        self.fail: Callable[[str], str | None] | None = None
        self.sync_ms = 0
        self.stall_ms = 0
        self._seen: dict[str, Inode] = {}
        self._durable: dict[str, Inode] = {}
        self._unsynced: list[Change[Inode]] = []
        self.harmed = False
        self._life = 0
        self._dead = False

    # --- crashes, and looking inside -------------------------------------------------------------

    def restart(self) -> None:
        """Crash the process, if it still runs, and be ready for the next: what calls saw stays."""
        self._life += 1
        self._dead = False
        self.crash_at = None
        self.operations = 0

    def lose_power(self, random: Random, kept: float = 0.5) -> None:
        """Crash the machine, and be ready for the next process: only what is durable stays.

        kept: how likely each thing that wasn't synced stays all the same.
        """
        for change in self._unsynced:
            if random.random() < kept:
                _relink(self._durable, change, leave_old=random.random() < 0.25)
        self._unsynced.clear()
        inodes = {id(inode): inode for inode in (*self._durable.values(), *self._seen.values())}
        for inode in inodes.values():
            inode.lose(random, kept)
        self._seen = dict(self._durable)
        self.restart()

    def copy(self) -> "SimDisk":
        """Return a disk of its own that holds and remembers the same."""
        hooks = self.fail, self.on_full, self.twist
        self.fail = self.on_full = self.twist = None
        try:
            return deepcopy(self)
        finally:
            self.fail, self.on_full, self.twist = hooks

    def content(self, name: str) -> bytes:
        """Return what calls see of a file, without counting as one."""
        return bytes(self._seen[name].seen)

    def has(self, name: str) -> bool:
        """Whether calls see such a file, without counting as one."""
        return name in self._seen

    def could_lose(self, data: bytes, *, suffix: str) -> bool:
        """Whether calls see these bytes in a file from which a power loss could take them away.

        suffix: of the names of such files.
        """
        for name, inode in self._seen.items():
            if not name.endswith(suffix):
                continue
            unsynced = inode.unsynced or self._durable.get(name) is not inode
            if unsynced and data in inode.seen:
                linked = any(durable is inode for durable in self._durable.values())
                return not linked or data not in inode.durable
        return False

    def lasting(self) -> dict[str, Inode]:
        """Return the files that are there whatever crashes now, by name."""
        durable = self._durable.items()
        return {name: inode for name, inode in durable if self._seen.get(name) is inode}

    def damage(self, name: str, at: int, data: bytes) -> None:
        """Let the medium rot: change bytes durably behind everybody's back."""
        self.harmed = True
        self._seen[name].rot(at, data)

    def vanish(self, name: str) -> None:
        """Lose a file, durably."""
        self.harmed = True
        self._seen.pop(name, None)
        self._durable.pop(name, None)

    # --- the Disk port ---------------------------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        self.enter("names")
        return tuple(sorted(self._seen))

    def create(self, name: str, size: int) -> "SimFile":
        self.enter("create", name)
        inode = self._seen.get(name)
        self.need(max(size, 1) - (0 if inode is None else len(inode.seen)))
        if inode is None:
            inode = Inode()
            self._relink(Link(name, inode))
        else:
            inode.change(Length(0))
        if size:
            inode.change(Length(size))
        return SimFile(self, name, inode, self._life)

    def open(self, name: str) -> "SimFile":
        self.enter("open", name)
        return SimFile(self, name, self._existing(name), self._life)

    def rename(self, old: str, new: str) -> None:
        self.enter("rename", old)
        self._relink(Renaming(old, new, self._existing(old)))

    def remove(self, name: str) -> None:
        self.enter("remove", name)
        self._existing(name)
        self._relink(Unlink(name))

    def sync_directory(self, why: Sync) -> None:
        try:
            self.enter(f"sync_directory {why}")
        except DiskError:
            self._unsynced.clear()
            raise
        if not self.count_sync(SyncSite(why)):
            return
        for change in self._unsynced:
            _relink(self._durable, change, leave_old=False)
        self._unsynced.clear()

    def free_bytes(self) -> int:
        self.enter("free_bytes")
        return self._free()

    def _free(self) -> int:
        """Each file takes whole sectors, whatever its names; one without a name takes none."""
        if self.capacity is None:
            return 1 << 50
        inodes = {id(inode): inode for inode in self._seen.values()}
        held = sum(
            -(-len(inode.seen) // SECTOR) * SECTOR - inode.released for inode in inodes.values()
        )
        return max(0, self.capacity - self.taken_bytes - held)

    def fill(self) -> None:
        """Let somebody else take all that is free."""
        if self.capacity is not None:
            self.taken_bytes += self._free()

    def leave_free(self, size: int) -> None:
        """Let the disk have so many bytes left, and no more, until capacity is None again."""
        self.capacity, self.taken_bytes = 1 << 50, 0
        self.capacity -= self._free() - size

    def need(self, size: int) -> None:
        """Raise a DiskError if there aren't so many bytes more."""
        if size > 0 and size > self._free():
            self.filled = True
            if self.on_full is not None:
                self.on_full()
            raise DiskError(f"{size} bytes: no space left", full=True)

    def close(self) -> None:
        """Nothing to do: the lock of a directory is not simulated."""

    # --- what files share with the disk ----------------------------------------------------------

    def enter(self, call: str, name: str = "", life: int | None = None) -> None:
        """Count an operation; raise Crashed or DiskError if it is its turn to fail."""
        if self._dead or (life is not None and life != self._life):
            raise Crashed(f"{call} {name} after the crash", now=False)
        self.operations += 1
        self.calls[call.split(" ", 1)[0]] += 1
        if self.operations == self.crash_at:
            self._dead = True
            raise Crashed(f"{call} {name}", now=True)
        problem = self.fail(f"{call} {name}".rstrip()) if self.fail is not None else None
        if problem is not None:
            raise DiskError(problem, full="full" in problem)

    def count_sync(self, site: SyncSite) -> bool:
        """Count a sync; return whether it is to be done."""
        self.syncs[site] += 1
        self.stall_ms += self.sync_ms
        return site not in self.left_out

    def _relink(self, change: Change[Inode]) -> None:
        _relink(self._seen, change, leave_old=False)
        self._unsynced.append(change)

    def _existing(self, name: str) -> Inode:
        inode = self._seen.get(name)
        if inode is None:
            raise DiskError(f"open {name}: no such file", missing=True)
        return inode


class SimFile:
    """An open file of a SimDisk."""

    def __init__(self, disk: SimDisk, name: str, inode: Inode, life: int) -> None:
        self._disk = disk
        self._name = name
        self._inode = inode
        self._life = life

    def write(self, at: int, data: bytes) -> None:
        try:
            self._disk.enter("write", self._name, self._life)
        except Crashed as crash:
            if crash.now:
                self._write_partly(at, data)
            raise
        except DiskError as problem:
            if not problem.full:
                self._write_partly(at, data)
            raise
        self._disk.need(at + len(data) - len(self._inode.seen))
        self._inode.change(Write(at, bytes(data)))

    def _write_partly(self, at: int, data: bytes) -> None:
        """Keep the first sectors only: the process died within the call, or it failed there."""
        parts = parts_of(Write(at, bytes(data)))
        for part in parts[: self._disk.crash_random.randint(0, len(parts))]:
            self._inode.change(part)

    def read(self, at: int, length: int) -> bytes:
        self._disk.enter("read", self._name, self._life)
        found = bytes(self._inode.seen[at : at + length])
        return found if self._disk.twist is None else self._disk.twist(self._name, at, found)

    def truncate(self, size: int) -> None:
        self._disk.enter("truncate", self._name, self._life)
        self._inode.change(Length(size))

    def allocate(self, size: int) -> None:
        self._disk.enter("allocate", self._name, self._life)
        if size > len(self._inode.seen):
            self._disk.need(size - len(self._inode.seen))
            self._inode.change(Length(size))

    def release(self, at: int) -> None:
        self._disk.enter("release", self._name, self._life)
        assert not any(self._inode.seen[at:])
        self._inode.released = len(self._inode.seen) - at

    def size(self) -> int:
        self._disk.enter("size", self._name, self._life)
        return len(self._inode.seen)

    def sync(self, why: Sync) -> None:
        try:
            self._disk.enter(f"sync {why}", self._name, self._life)
        except DiskError:
            self._inode.unsynced.clear()
            raise
        if self._disk.count_sync(SyncSite(why, _copy_of(self._name, why))):
            self._inode.sync()

    def close(self) -> None:
        """Nothing to give back."""


def _copy_of(name: str, why: Sync) -> str:
    """Return which of two copies this is, where both are synced for one reason."""
    return name if why is Sync.VOTE else ""


def _relink(names: dict[str, Inode], change: Change[Inode], *, leave_old: bool) -> None:
    match change:
        case Link(name, inode):
            names[name] = inode
        case Unlink(name):
            names.pop(name, None)
        case Renaming(old, new, inode):
            names[new] = inode
            if not leave_old:
                names.pop(old, None)
