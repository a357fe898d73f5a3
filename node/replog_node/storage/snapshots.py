"""Snapshots as files: whole, proven, or not used.

A snapshot file is its header and then the state's bytes. The header is the SnapshotMeta in the
checked envelope, zero-filled up to a multiple of 512; how long it is follows from the SnapshotMeta,
so all members that build at the same S have the same file, byte for byte. A file gets its name
only after all of it is durable, so a bad one is rot: it is removed, and another one takes its
place. What is fetched from another member grows in a part file that survives a restart, and is
proven whole before anything depends on it.

Decides: the files' bytes and names, which are sound, which are worth keeping.
Must not know: what the state means, when one is built or fetched.
Read next: start.py, store.py.
"""

import re
from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from replog_node.model.positions import ClusterId, Lineage, Offset
from replog_node.model.snapshots import DIGEST_BYTES, SnapshotMeta
from replog_node.storage import checked
from replog_node.storage.blocks import aligned
from replog_node.storage.disk import Disk, DiskError, File, Sync
from replog_node.storage.errors import FormatUnknown, LogDamaged, SnapshotUnusable, StoreMisused
from replog_node.storage.reserve import create_in_spare

HEADER_BYTES_MAX: Final = 2 * 1024 * 1024
"""A longer header isn't believed; the largest part is a configuration, which fits into 1 MiB."""

_KIND: Final = b"RLsn"
_NAME: Final = re.compile(r"\d{20}\.(snap|copy)", re.ASCII)
_PART: Final = re.compile(r"incoming-\d{20}-[0-9a-f]{32}\.part", re.ASCII)
_SIZE_DIGITS: Final = 20
_PIECE_BYTES: Final = 1024 * 1024


def snapshot_name(meta: SnapshotMeta) -> str:
    """Return the name of the file with this snapshot."""
    return f"{meta.position.offset:020d}.snap"


def copy_name(meta: SnapshotMeta) -> str:
    """Return the name of its second copy, which there is while nothing else would replace it."""
    return f"{meta.position.offset:020d}.copy"


def part_name(meta: SnapshotMeta) -> str:
    """Return the name under which it grows while it is fetched."""
    return f"incoming-{meta.position.offset:020d}-{meta.digest.hex()}.part"


def is_snapshot(name: str) -> bool:
    """Whether a file of this name is a snapshot or the second copy of one."""
    return _NAME.fullmatch(name) is not None


def part_offset(name: str) -> int:
    """Return the offset in a part file's name."""
    return int(name.split("-")[1])


def is_part(name: str) -> bool:
    """Whether a file of this name is a snapshot that is being fetched."""
    return _PART.fullmatch(name) is not None


def described(meta: SnapshotMeta, state: bytes) -> SnapshotMeta:
    """Return the SnapshotMeta with the size and the digest that follow from the state's bytes."""
    size = header_bytes(meta) + len(state)
    return msgspec.structs.replace(meta, size_bytes=size, digest=digest_of(state))


def digest_of(state: bytes) -> bytes:
    """Return BLAKE2b-128 of a state's bytes."""
    return blake2b(state, digest_size=DIGEST_BYTES).digest()


def header_bytes(meta: SnapshotMeta) -> int:
    """Return how long the file's header is; equal whatever size and digest are."""
    plain = msgspec.structs.replace(meta, size_bytes=0, digest=bytes(DIGEST_BYTES))
    return aligned(checked.ENVELOPE_BYTES + len(msgspec.json.encode(plain)) + _SIZE_DIGITS)


def encode_header(meta: SnapshotMeta) -> bytes:
    """Return the file's header."""
    return checked.pack(_KIND, meta, padded_to=header_bytes(meta))


def write_snapshot(disk: Disk, meta: SnapshotMeta, state: bytes) -> str:
    """Write a snapshot under a temporary name, durably, and return that; see adopt_snapshot.

    meta: as `described` returned it for this state. Any process may do this beside the member
    that holds the directory. Raises DiskError.
    """
    temporary = snapshot_name(meta) + checked.TEMPORARY
    _write_whole(disk, temporary, encode_header(meta), state)
    return temporary


def _write_whole(disk: Disk, name: str, header: bytes, state: bytes) -> None:
    file = create_in_spare(disk, name, len(header) + len(state))
    try:
        file.write(0, header)
        for at in range(0, len(state), _PIECE_BYTES):
            file.write(len(header) + at, state[at : at + _PIECE_BYTES])
        file.sync(Sync.SNAPSHOT)
    finally:
        file.close()


def read_meta(disk: Disk, name: str) -> SnapshotMeta:
    """Return what the header says; its size is that of the file, the state isn't looked at.

    Raises SnapshotUnusable (missing, torn or rotten), FormatUnknown, DiskError.
    """
    file = _open(disk, name)
    try:
        meta = checked.unpack(_KIND, file.read(0, HEADER_BYTES_MAX), SnapshotMeta, name)
        size = file.size()
    except checked.Unsound as problem:
        raise SnapshotUnusable(name, f"its header: {problem}") from problem
    finally:
        file.close()
    if meta.size_bytes != size:
        raise SnapshotUnusable(name, f"it has {size} bytes, not {meta.size_bytes}")
    return meta


def prove(disk: Disk, name: str, meta: SnapshotMeta | None = None) -> SnapshotMeta:
    """Read all of a file and return its SnapshotMeta, which is `meta` if that is given.

    Raises SnapshotUnusable, FormatUnknown, DiskError.
    """
    found = read_meta(disk, name)
    if meta is not None and found != meta:
        raise SnapshotUnusable(name, f"it is another one than that of {meta.position}")
    file = _open(disk, name)
    digest = blake2b(digest_size=DIGEST_BYTES)
    try:
        for at in range(header_bytes(found), found.size_bytes, _PIECE_BYTES):
            digest.update(file.read(at, _PIECE_BYTES))
    finally:
        file.close()
    if digest.digest() != found.digest:
        raise SnapshotUnusable(name, "the state's digest doesn't match")
    return found


def read_state(disk: Disk, name: str, meta: SnapshotMeta) -> bytes:
    """Return the state's bytes, proven. Raises SnapshotUnusable, FormatUnknown, DiskError."""
    found = read_meta(disk, name)
    file = _open(disk, name)
    try:
        state = file.read(header_bytes(found), found.size_bytes)
    finally:
        file.close()
    if found != meta or digest_of(state) != meta.digest:
        raise SnapshotUnusable(name, "the state's digest doesn't match")
    return state


def read_piece(disk: Disk, name: str, at: int, max_bytes: int) -> bytes:
    """Return bytes of the file from byte `at` on. Raises SnapshotUnusable, DiskError."""
    file = _open(disk, name)
    try:
        return file.read(at, max_bytes)
    finally:
        file.close()


def write_copy(disk: Disk, meta: SnapshotMeta, source: str, target: str) -> None:
    """Write the same snapshot under another name, proven. Durable after a directory sync.

    On a full disk nothing is written: there is one file, and the log goes on.
    """
    state = read_state(disk, source, meta)
    temporary = target + checked.TEMPORARY
    try:
        _write_whole(disk, temporary, encode_header(meta), state)
    except DiskError as problem:
        if not problem.full:
            raise
        if temporary in disk.names():
            disk.remove(temporary)
        return
    disk.rename(temporary, target)


def _open(disk: Disk, name: str) -> File:
    try:
        return disk.open(name)
    except DiskError as problem:
        if problem.missing:
            raise SnapshotUnusable(name, "there is no such file") from problem
        raise


class Incoming:
    """A snapshot that is being fetched: bytes of its file, in order, kept over a restart.

    One at a time: beginning another removes this one. Durable, and proven, only after finish().
    """

    def __init__(self, disk: Disk, meta: SnapshotMeta) -> None:
        """Go on with what is there of it. Raises DiskError."""
        self.meta = meta
        self.name = part_name(meta)
        names = disk.names()
        for other in filter(is_part, names):
            if other != self.name:
                disk.remove(other)
        self._disk = disk
        self._file = disk.open(self.name) if self.name in names else disk.create(self.name, 0)
        self.size = min(self._file.size(), meta.size_bytes)

    def write(self, at: int, data: bytes) -> None:
        """Add bytes at `at`, which must be `size`; raises StoreMisused if not, DiskError."""
        if at != self.size or at + len(data) > self.meta.size_bytes:
            raise StoreMisused(f"{self.name} has {self.size} of {self.meta.size_bytes}, not {at}")
        self._file.write(at, data)
        self.size = at + len(data)

    def finish(self) -> bool:
        """Prove all of it and make it durable: whether it is the snapshot that was asked for.

        If it isn't, it is removed, and nothing of it is used. Call it once, when `size` is all;
        then Store.install or Store.adopt_snapshot(name). Raises DiskError.
        """
        try:
            prove(self._disk, self.name, self.meta)
        except (SnapshotUnusable, FormatUnknown):
            self._file.close()
            self._disk.remove(self.name)
            return False
        self._file.sync(Sync.SNAPSHOT)
        self._file.close()
        return True

    def close(self) -> None:
        """Stop for now; what is there stays."""
        self._file.close()


class Found(msgspec.Struct, frozen=True):
    """What a start found. snapshots: the sound ones, ascending. damaged: the names of others.

    refused: what the disk said when it didn't give one back, which may be sound.
    """

    snapshots: tuple[SnapshotMeta, ...] = ()
    damaged: tuple[str, ...] = ()
    refused: DiskError | None = None


def find_snapshots(disk: Disk, cluster_id: ClusterId, lineage: Lineage | None) -> Found:
    """Prove all snapshots; remove damaged ones, after taking their other copy if there is one.

    Raises LogDamaged for a sound one of another cluster or lineage, FormatUnknown, DiskError.
    """
    sound: dict[str, SnapshotMeta] = {}
    damaged: list[str] = []
    refused: DiskError | None = None
    for name in filter(is_snapshot, disk.names()):
        try:
            meta = prove(disk, name)
        except SnapshotUnusable:
            damaged.append(name)
            continue
        except DiskError as problem:
            refused = problem
            continue
        if (meta.cluster_id, meta.lineage) != (cluster_id, lineage):
            what = f"a snapshot of cluster {meta.cluster_id}, lineage {meta.lineage}"
            raise LogDamaged(name, meta.position.offset, what)
        sound[name] = meta
    for name in damaged:
        disk.remove(name)
    return Found(_united(disk, sound), tuple(damaged), refused)


def _united(disk: Disk, sound: dict[str, SnapshotMeta]) -> tuple[SnapshotMeta, ...]:
    """Return the snapshots of these files, each of which is there under its first name, durably.

    A name that is found may be in the page cache only, because its sync failed; then no later sync
    would write it. So one name of each is made anew: where there are two files the second one is
    written again, else the one is renamed by way of the other name, under which it is found too.
    """
    metas = {meta.position.offset: meta for meta in sound.values()}
    for meta in metas.values():
        first, second = snapshot_name(meta), copy_name(meta)
        if first in sound and second in sound:
            write_copy(disk, meta, first, second)
            continue
        if first in sound:
            disk.rename(first, second)
        disk.rename(second, first)
    if metas:
        disk.sync_directory(Sync.SNAPSHOT_NAME)
    return tuple(metas[at] for at in sorted(metas))


def which_to_keep(
    offsets: Collection[Offset], base: Offset | None, between: int
) -> frozenset[Offset]:
    """Return which snapshots are worth keeping: the base, the newest, and some evenly between.

    offsets: of all. base: the one that new members get; older ones are of no use any more. None:
    nothing was released, so the oldest stands for it. between: how many there may be between.
    """
    kept = sorted(offset for offset in offsets if base is None or offset >= base)
    while len(kept) > between + 2:
        gaps = [after - before for before, after in zip(kept, kept[2:], strict=False)]
        del kept[1 + gaps.index(min(gaps))]
    return frozenset(kept)


def base_of(
    snapshots: Iterable[SnapshotMeta], log_start: Offset, start: Offset
) -> SnapshotMeta | None:
    """Return the newest snapshot from which every retained record follows, if there is one.

    log_start: the first retained offset. start: the last one that the log no longer has.
    """
    fitting = [meta for meta in snapshots if start <= meta.position.offset < log_start]
    return max(fitting, key=lambda meta: meta.position.offset, default=None)
