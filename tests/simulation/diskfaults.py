"""Faults of single disks: calls that fail, disks that are full, bytes that rot.

A call that is to fail is armed now and takes effect later, when the disk is used that way; then it
says so, by calling `hit`. What lasts ends by itself after a while, or with `heal`. Rot takes effect
at once, or not at all, where the atlas lets it; it stays until somebody repairs it. A member that
runs finds it by reading or by its scrub, one that doesn't when it starts.

Decides: what fails or rots, and for how long. Must not know: how a member copes.
Read next: atlas.py, ../support/simdisk.py, storage.py.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from replog_node.storage.segment import is_segment
from tests.simulation.atlas import Atlas
from tests.support.simdisk import SECTOR, Inode, SimDisk

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

Hit = Callable[[], None]

CHANGING: Final = ("create", "rename", "remove", "truncate", "allocate", "release")
"""Calls that change a disk, beside writes and syncs."""

TRIES: Final = 10
"""Places looked at for one that may rot."""


class _Armed:
    """One call that is to fail: of these kinds, after some others of them."""

    def __init__(self, kinds: tuple[str, ...], after: int, hit: Hit) -> None:
        self._kinds = kinds
        self._after = after
        self._hit = hit
        self.done = False

    def meets(self, call: str) -> bool:
        """Whether this is the call."""
        if self.done or call.split(" ", 1)[0] not in self._kinds:
            return False
        self._after -= 1
        self.done = self._after < 0
        if self.done:
            self._hit()
        return self.done


class DiskFaults:
    """What is wrong with disks now. random: of the fault, so that each has luck of its own."""

    def __init__(self, world: World) -> None:
        """Nothing yet. atlas: where disks may rot; None for everywhere."""
        self._world = world
        self.atlas: Atlas | None = Atlas(world)
        self._armed: dict[SimDisk, list[_Armed]] = {}
        self._full: list[SimDisk] = []

    def heal(self) -> None:
        """End all that lasts, and let nothing more fail."""
        for disk in self._armed:
            disk.fail = None
        self._armed.clear()
        for disk in tuple(self._full):
            self._empty(disk)

    def whole(self) -> bool:
        """Whether no disk lacks entries that it should have."""
        return self.atlas is None or self.atlas.whole()

    def lets_go(self) -> bool:
        """Whether part of the log may be let go of now; from then on no more entries rot."""
        if self.atlas is not None:
            if not self.atlas.whole():
                return False
            self.atlas.lets_go = True
        return True

    # Calls that fail.

    def fail_write(self, node: SimNode, random: Random, hit: Hit) -> None:
        """One of the next writes fails, in its middle."""
        self._arm(node, _Armed(("write",), random.randint(0, 8), hit))

    def fail_sync(self, node: SimNode, random: Random, hit: Hit) -> None:
        """One of the next syncs fails, of a file or of the directory, and loses what it was for."""
        kind = "sync" if random.random() < 0.7 else "sync_directory"
        self._arm(node, _Armed((kind,), random.randint(0, 6), hit))

    def fail_change(self, node: SimNode, random: Random, hit: Hit) -> None:
        """One of the next calls fails that make, rename, remove, shorten or lengthen a file."""
        self._arm(node, _Armed(CHANGING, random.randint(0, 4), hit))

    def fail_read(self, node: SimNode, random: Random, hit: Hit) -> None:
        """One of the next reads fails, or one of the calls by which files are found."""
        self._arm(node, _Armed(("read", "open", "names", "size"), random.randint(0, 20), hit))

    def _arm(self, node: SimNode, armed: _Armed) -> None:
        disk = node.disk
        waiting = self._armed.setdefault(disk, [])
        waiting.append(armed)

        def fail(call: str) -> str | None:
            met = [each for each in waiting if each.meets(call)]
            return f"{call}: input/output error" if met else None

        disk.fail = fail

    # Full disks.

    def fill(self, node: SimNode, random: Random, hit: Hit) -> None:
        """Somebody else takes all but a little of the room, for a while."""
        disk = node.disk
        disk.leave_free(random.choice((0, 0, 512, 4096, 20_000, 60_000)))
        disk.on_full = hit
        self._full.append(disk)
        delay_us = random.randint(500_000, 8_000_000)
        self._world.clockwork.after(delay_us, lambda: self._empty(disk))

    def fill_all(self, random: Random, hit: Hit) -> None:
        """Everybody's disk is full."""
        for node in self._world.nodes:
            self.fill(node, random, hit)

    def _empty(self, disk: SimDisk) -> None:
        """Give back what was taken; once for each time it was."""
        if disk in self._full:
            self._full.remove(disk)
            if disk not in self._full:
                disk.capacity, disk.on_full = None, None

    # Rot.

    def flip(self, node: SimNode, random: Random, hit: Hit) -> bool:
        """A bit flips."""

        def flipped(inode: Inode, at: int, _: int) -> bytes:
            return bytes([inode.durable[at] ^ 1 << random.randrange(8)])

        return self._rot(node, random, hit, flipped, whole_sectors=False)

    def misdirect(self, node: SimNode, random: Random, hit: Hit) -> bool:
        """Sectors hold what was meant for others, of this file or another one."""

        def elsewhere(inode: Inode, at: int, size: int) -> bytes:
            source = random.choice([inode, *node.disk.lasting().values()])
            place = random.randrange(max(1, len(source.durable) // SECTOR)) * SECTOR
            return bytes(source.durable[place : place + size]).ljust(size, b"\0")

        return self._rot(node, random, hit, elsewhere, whole_sectors=True)

    def stale(self, node: SimNode, random: Random, hit: Hit) -> bool:
        """Sectors hold what was there before the last write, which for a segment is nothing."""

        def before(inode: Inode, at: int, size: int) -> bytes:
            return bytes(inode.former[at : at + size]).ljust(size, b"\0")

        return self._rot(node, random, hit, before, whole_sectors=True)

    def _rot(
        self, node: SimNode, random: Random, hit: Hit,
        bytes_for: Callable[[Inode, int, int], bytes], *, whole_sectors: bool,
    ) -> bool:  # fmt: skip
        """Let one place rot that may, if there is one among a few; whether anything changed."""
        files = node.disk.lasting()
        for _ in range(TRIES if files else 0):
            name = _some_file(files, random)
            place = _place(files[name], random, whole_sectors=whole_sectors)
            if place is None or (self.atlas and not self.atlas.allows(node, name, *place)):
                continue
            at, size = place
            data = bytes_for(files[name], at, size)
            if data != files[name].durable[at : at + size]:
                self._world.clockwork.note(node.name, "rots", name, at, size)
                node.disk.damage(name, at, data)
                if node.storage is not None and random.random() < 0.7:
                    node.storage.scrub_soon()
                hit()
                return True
        return False


def _some_file(files: dict[str, Inode], random: Random) -> str:
    """Segments mostly."""
    segments = sorted(filter(is_segment, files))
    return random.choice(segments if segments and random.random() < 0.6 else sorted(files))


def _place(inode: Inode, random: Random, *, whole_sectors: bool) -> tuple[int, int] | None:
    """Where in a file, and how many bytes; the beginning is as likely as all the rest."""
    length = len(inode.durable)
    if not length:
        return None
    if not whole_sectors:
        return random.choice((random.randrange(length), random.randrange(min(length, 600)))), 1
    count = random.choice((1, 1, 2, 4))
    at = random.choice((0, random.randrange(-(-length // SECTOR)))) * SECTOR
    return at, min(count * SECTOR, length - at)
