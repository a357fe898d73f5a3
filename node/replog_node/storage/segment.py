"""A segment: one file of the log, from its base on, and the one way to begin it.

Its first 512 bytes name the cluster, the segment's sequence number, its nonce, and the tail that
its first entry follows. That tail was durable when the segment was begun, so it is also the
segment's first mark. Of two segments the one with the higher sequence number is right about every
offset from its base on. The file's name repeats base and sequence number.

Decides: header, names, and that a segment is there whole or not at all.
Must not know: why a segment is begun.
Read next: summary.py, recovery.py.
"""

import re
from typing import Final

import msgspec

from replog_node.model.entries import Tail
from replog_node.model.positions import ClusterId, Offset, Position
from replog_node.storage import checked
from replog_node.storage.blocks import BLOCK_ALIGNMENT, any_block_header
from replog_node.storage.disk import Disk, DiskError, File, Sync
from replog_node.storage.errors import LogDamaged, NoRoom
from replog_node.storage.reserve import Reserve, discard

SEGMENT_HEADER_BYTES: Final = BLOCK_ALIGNMENT
_KIND: Final = b"RLsg"
_NAME: Final = re.compile(r"\d{20}\.\d{10}\.(seg|sum|now)", re.ASCII)


class SegmentHeader(msgspec.Struct, frozen=True):
    """What a segment's first sector says.

    predecessor: the durable tail that it begins after. size: the file's bytes when it was begun,
    set by begin; it is never shorter while no other segment follows it. restart: the log begins
    here, after a snapshot at the predecessor; whatever older segments hold is superseded, before it
    too. unproven: the log once reached so far, and what is lost of its end hadn't been replaced
    when this was begun.
    """

    cluster_id: ClusterId
    sequence: int
    nonce: int
    predecessor: Tail
    size: int = 0
    restart: bool = False
    unproven: Position | None = None

    @property
    def base(self) -> Offset:
        """The offset of its first record."""
        return Offset(self.predecessor.position.offset + 1)

    @property
    def stem(self) -> str:
        """Its files' common name."""
        return f"{self.base:020d}.{self.sequence:010d}"

    @property
    def name(self) -> str:
        """The segment file's name."""
        return f"{self.stem}.seg"

    @property
    def summary_name(self) -> str:
        """The name of the summary beside it."""
        return f"{self.stem}.sum"

    @property
    def checkpoint_name(self) -> str:
        """The name of what is noted beside it while it grows."""
        return f"{self.stem}.now"


class HeaderUnsound(LogDamaged):
    """A segment's first sector is damaged; what follows it may be sound."""


def is_segment(name: str) -> bool:
    """Whether a file of this name is a segment."""
    return is_log_file(name) and name.endswith(".seg")


def is_log_file(name: str) -> bool:
    """Whether a file of this name is a segment, a summary or a checkpoint."""
    return _NAME.fullmatch(name) is not None


def sequence_of(name: str) -> int:
    """Return the sequence number in a segment's name."""
    return int(name[21:31])


def base_of(name: str) -> Offset:
    """Return the base in a segment's name."""
    return Offset(int(name[:20]))


def begin(
    disk: Disk,
    reserve: Reserve,
    header: SegmentHeader,
    blocks: bytes,
    *,
    any_size: bool,
    room: int = 0,
) -> tuple[File, SegmentHeader]:
    """Make a segment with these first blocks durable; return it open, and its header with its size.

    When this returns, the segment counts: everything from its base on in older ones is superseded.
    Until then nothing has changed. any_size: see Reserve.allot. room: for what is to
    come, beside the header. Raises NoRoom, DiskError.
    """
    temporary = header.name + checked.TEMPORARY
    file, size = reserve.allot(
        temporary, SEGMENT_HEADER_BYTES + max(len(blocks), room), any_size=any_size
    )
    header = msgspec.structs.replace(header, size=size)
    file.write(0, packed_header(header) + blocks)
    file.sync(Sync.SEGMENT)
    _name(disk, file, temporary, header.name)
    disk.sync_directory(Sync.SEGMENT_NAME)
    return file, header


def _name(disk: Disk, file: File, temporary: str, name: str) -> None:
    """Give a finished file its name; a directory that can't grow for it is no room, no failure."""
    try:
        disk.rename(temporary, name)
    except DiskError as problem:
        if not problem.full:
            raise
        file.close()
        discard(disk, temporary)
        raise NoRoom(f"the disk is full: {problem}") from problem


def packed_header(header: SegmentHeader) -> bytes:
    """Return a segment's first sector."""
    return checked.pack(_KIND, header, padded_to=SEGMENT_HEADER_BYTES)


def read_header(disk: Disk, name: str, cluster_id: ClusterId) -> SegmentHeader:
    """Return the header of the segment with this name; raises DiskError.

    Raises HeaderUnsound if it can't be read: a segment gets its name only after its header is
    durable, so a bad one is never a torn one, and one that begins elsewhere is a write that went
    astray. Raises LogDamaged if it is another cluster's, or the file has got another name.
    """
    file = disk.open(name)
    try:
        first = file.read(0, SEGMENT_HEADER_BYTES)
        header = checked.unpack(_KIND, first, SegmentHeader, name)
    except checked.Unsound as problem:
        raise HeaderUnsound(name, base_of(name), f"its header: {problem}") from problem
    finally:
        file.close()
    what = f"its header is of {header.name} of cluster {header.cluster_id}"
    if header.base != base_of(name) and header.cluster_id == cluster_id:
        raise HeaderUnsound(name, base_of(name), what)  # a write that went astray, so it is rot
    if header.name != name or header.cluster_id != cluster_id:
        raise LogDamaged(name, header.base, what)
    return header


def rebuilt_header(disk: Disk, name: str, cluster_id: ClusterId) -> SegmentHeader | None:
    """Return what a damaged header said, as its first block proves it; None if that is bad too.

    That block's mark is the predecessor. Its time isn't known: 0, a lower bound.
    """
    file = disk.open(name)
    try:
        found = any_block_header(file.read(SEGMENT_HEADER_BYTES, BLOCK_ALIGNMENT))
    finally:
        file.close()
    if found is None or found[1].base != base_of(name):
        return None
    nonce, block = found
    predecessor = Tail(block.mark, block.chain, 0)
    header = SegmentHeader(cluster_id, sequence_of(name), nonce, predecessor)
    return header if header.name == name else None
