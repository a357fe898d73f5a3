"""Where disks may rot: wherever one good durable copy of everything is left that was ever promised.

It looks at the bytes that every disk holds durably, so it needs no story of what happened. A file
that is rotten anywhere counts as lost whole. So a segment may rot if each of its entries lies,
durably and in a file that isn't rotten, on another voter, too; a copy of term and vote if the other
one is whole; a snapshot if another file stands for what is before the log; what can be made anew,
always; the identity, of which there is one copy, never.

Two limits are the design's own (section 3): what no mark covers yet looks torn when it rots, so it
doesn't; and members that may have lost their end don't vote, so they are fewer than a majority. One
is the product's: what others have let go of meanwhile, nobody can give (docs/codes.md,
UnfillableHole); so entries rot only in a world that lets go of nothing, and while a disk is rotten
nobody is removed, wiped or trimmed on purpose.

Decides: that. Must not know: when and how a disk rots (diskfaults.py), who repairs.
Read next: diskfaults.py, ../../docs/on-disk.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from replog_node.frames.layout import FrameDamaged, frame_header
from replog_node.model.positions import ORIGIN
from replog_node.storage import checked
from replog_node.storage.blocks import (
    BLOCK_ALIGNMENT,
    BLOCK_HEADER_BYTES,
    BlockHeader,
    any_block_header,
)
from replog_node.storage.hardstate import HARD_STATE_NAMES
from replog_node.storage.identity import IDENTITY_NAME
from replog_node.storage.segment import (
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    base_of,
    is_segment,
    sequence_of,
)
from replog_node.storage.snapshots import is_snapshot
from replog_node.storage.start import START_NAME, Start
from tests.support.simdisk import SECTOR, Inode, SimDisk

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

_START: Final = b"RLst"
_SEGMENT: Final = b"RLsg"


BEGINNING: Final = range(2)
"""The sectors of a segment's header and of its first block's."""


class Block(NamedTuple):
    """A block that can be read: where it begins, and what its header says."""

    at: int
    header: BlockHeader


def blocks_in(content: bytes | bytearray) -> list[Block]:
    """Return every block of a segment that has a sound header, as long as they have one nonce."""
    found: list[Block] = []
    data, nonce = bytes(content), None
    for at in range(SEGMENT_HEADER_BYTES, len(data), BLOCK_ALIGNMENT):
        block = any_block_header(data, at)
        if block is not None and nonce in (None, block[0]):
            nonce = block[0]
            found.append(Block(at, block[1]))
    return found


def frames_in(content: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    """Yield the base and the bytes of each frame of a segment, as far as lengths lead to them."""
    data = bytes(content)
    for at, header in blocks_in(data):
        place, end = at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + header.length
        while place < end:
            try:
                frame = frame_header(data, place)
            except FrameDamaged:
                break
            yield frame.base, data[place : place + frame.length]
            place += frame.length


def segments_of(disk: SimDisk) -> list[str]:
    """Return the names of a disk's lasting segments that count, by base (storage/path.py)."""
    path: list[str] = []
    for name in sorted(filter(is_segment, disk.lasting()), key=sequence_of):
        while path and base_of(path[-1]) >= base_of(name):
            path.pop()
        path.append(name)
    return path


def marked_end(content: bytes | bytearray) -> int:
    """Return the byte up to which a last segment's highest mark covers it.

    The block that says this mark first lies behind it, and stays whole.
    """
    blocks = blocks_in(content)
    highest = max((block.header.mark for block in blocks), default=ORIGIN)
    return min((block.at for block in blocks if block.header.mark == highest), default=0)


class Atlas:
    """See above."""

    def __init__(self, world: World) -> None:
        """Nothing is let go of yet, unless by retention."""
        self._world = world
        self.lets_go = world.sizes.retention_bytes > 0

    def whole(self) -> bool:
        """Whether no disk lacks entries that it should have.

        One that lost its end lacks them, and doesn't vote, though what had rotted is long gone.
        """
        return not any(self._lacks_entries(node) for node in self._world.nodes)

    def _lacks_entries(self, node: SimNode) -> bool:
        files, path = node.disk.lasting(), segments_of(node.disk)
        lost = any(files[name].rotten - {0} for name in path)
        return lost or (bool(path) and _unproven(files[path[-1]].durable, path[-1]))

    def rotten(self, node: SimNode) -> list[str]:
        """The files of a member that count and are rotten."""
        files = node.disk.lasting()
        names = {*segments_of(node.disk), START_NAME, *HARD_STATE_NAMES}
        names.update(filter(is_snapshot, files))
        return sorted(name for name in names if name in files and files[name].rotten)

    def allows(self, node: SimNode, name: str, at: int, size: int) -> bool:
        """Whether these bytes of a member's file may rot now."""
        files = node.disk.lasting()
        inode = files.get(name)
        if name == IDENTITY_NAME or inode is None or at + size > len(inode.durable):
            return False
        if name in HARD_STATE_NAMES:
            others = (files.get(other) for other in HARD_STATE_NAMES if other != name)
            return all(other is not None and not other.rotten for other in others)
        if name == START_NAME:
            return node.storage is not None and not self.rotten(node)
        if START_NAME in files and files[START_NAME].rotten:
            return False
        if is_snapshot(name):
            return self._snapshot_may_rot(node, files, name)
        if is_segment(name):
            return self._segment_may_rot(node, files, name, at, size)
        return True

    def _snapshot_may_rot(self, node: SimNode, files: dict[str, Inode], name: str) -> bool:
        start = _start(files)
        if start is None or start.installing is not None:
            return False
        left = _whole_snapshots(files) - {name}
        needed, path = start.base.offset, segments_of(node.disk)
        if needed < 0:
            return True
        begins = bool(path) and not files[path[0]].rotten.intersection(BEGINNING)
        # Others begin with the oldest: a newer one is of no use to them.
        oldest = min(at for at in map(_offset_of, filter(is_snapshot, files)) if at >= needed)
        kept = set(map(_offset_of, left))
        return oldest in kept and (begins or needed in kept)

    def _segment_may_rot(
        self, node: SimNode, files: dict[str, Inode], name: str, at: int, size: int
    ) -> bool:
        path = segments_of(node.disk)
        start = _start(files)
        if name not in path or start is None or start.installing is not None:
            return False
        content = files[name].durable
        if name == path[-1] and not self._end_may_rot(node, name, content, at, size):
            return False
        if name == path[0] and at // SECTOR in BEGINNING:
            if len(path) == 1:
                return False  # without its beginning an only segment is no log
            base = start.base.offset  # what the next one shows to be lost begins after this
            if base >= 0 and base not in map(_offset_of, _whole_snapshots(files)):
                return False
        if self.lets_go and at + size > SEGMENT_HEADER_BYTES:
            return False
        voters = self._voters(node)
        if voters is None:
            return False
        others = [_Copies(other.disk) for other in voters if other is not node]
        return all(
            any(other.holds(base, frame) for other in others)
            for base, frame in frames_in(content)
            if base > start.base.offset
        )

    def _end_may_rot(
        self, node: SimNode, name: str, content: bytearray, at: int, size: int
    ) -> bool:
        """Whether this may rot in the last segment: nobody must take it for torn."""
        if at + size > marked_end(content):
            return False
        if at < SEGMENT_HEADER_BYTES and _unproven(content, name):
            return False
        voters = self._voters(node)
        if voters is None:
            return False
        unsure = sum(self._may_be_unsure(other) for other in voters if other is not node)
        return unsure + 1 <= (len(voters) - 1) // 2

    def _may_be_unsure(self, node: SimNode) -> bool:
        """Whether a member may have lost its end, and so doesn't vote."""
        path, files = segments_of(node.disk), node.disk.lasting()
        if not path:
            return True
        inode = files[path[-1]]
        return bool(inode.rotten) or _unproven(inode.durable, path[-1])

    def _voters(self, node: SimNode) -> list[SimNode] | None:
        """Those who vote in all that anybody goes by; None unless `node` is one of them.

        None, too, while membership changes: whoever has the good copy may be leaving.
        """
        nodes = self._world.nodes
        known = [c for each in nodes for c in each.known_configurations()]
        wanted = {nodes[place].member for place in self._world.operations.wanted}
        same = all(not c.joint and set(c.voter_ids()) == wanted for c in known)
        if not known or not same or node.member not in wanted or wanted & self._world.lost:
            return None
        return [each for each in nodes if each.member in wanted]


class _Copies:
    """What one disk holds durably, in files that aren't rotten."""

    def __init__(self, disk: SimDisk) -> None:
        self._files = disk.lasting()
        self._path = segments_of(disk)

    def holds(self, base: int, frame: bytes) -> bool:
        """Whether it holds this frame where its log has that offset."""
        before = [name for name in self._path if base_of(name) <= base]
        if not before:
            return False
        inode = self._files[before[-1]]
        return not inode.rotten and frame in inode.durable and frame in inode.seen


def _whole_snapshots(files: dict[str, Inode]) -> set[str]:
    return {name for name in files if is_snapshot(name) and not files[name].rotten}


def _offset_of(snapshot: str) -> int:
    return int(snapshot.split(".")[0])


def _start(files: dict[str, Inode]) -> Start | None:
    """What a disk says of where its log begins; None if that can't be read."""
    inode = files.get(START_NAME)
    if inode is None:
        return Start()
    try:
        return checked.unpack(_START, bytes(inode.durable), Start, START_NAME)
    except checked.Unsound:
        return None


def _unproven(content: bytearray, name: str) -> bool:
    """Whether a segment was begun while the log's end was unproven, as far as can be told."""
    try:
        header = checked.unpack(
            _SEGMENT, bytes(content[:SEGMENT_HEADER_BYTES]), SegmentHeader, name
        )
    except checked.Unsound:
        return True
    return header.unproven is not None
