"""What a member remembers of fences and of its own recovery: the file `fence`.

A start looks at it before anything is said to anybody. Of one file, so that each change is whole:
a fence is lifted by the very write that ends what it was for.

Decides: the file, and what holds a member back because of it.
Must not know: who asks, how a recovery is carried out.
Read next: decisions.py, forcing.py.
"""

from typing import Final

import msgspec

from replog_node.model.positions import Lineage, Position
from replog_node.storage import checked
from replog_node.storage.blocks import aligned
from replog_node.storage.disk import Disk, DiskError, Sync
from replog_node.storage.errors import IdentityDamaged

FENCE_NAME: Final = "fence"
_KIND: Final = b"RLfe"


class Force(msgspec.Struct, frozen=True):
    """The order to go on alone: in this lineage, from the log that ends just so.

    operation: whose fence it was given under. position, chain: of the log's last entry then.
    """

    operation: str
    lineage: Lineage
    position: Position
    chain: bytes


class Fence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the file says; without one, nothing of this holds.

    operation: who holds the fence, "" for nobody. commit_offset: the highest that was known here to
    be committed when the fence came down; later it could not be told any more. heard: the highest
    lineage number that another member has told of, 0 for none. ended: the operation that held the
    fence last: a call of it that arrives late must not fence anew. force: an order that is being
    carried out. forced: the last one that was.
    """

    operation: str = ""
    commit_offset: int = -1
    heard: int = 0
    ended: str = ""
    force: Force | None = None
    forced: Force | None = None


def load_fence(disk: Disk) -> Fence:
    """Return what the file says, written again: a fence that was read may be in the page cache
    only, and what this start says because of it must hold after the next one, too.

    Raises IdentityDamaged: nobody can tell then whether this member may take part. FormatUnknown,
    NoRoom, DiskError.
    """
    try:
        data = checked.read_whole(disk, FENCE_NAME)
    except DiskError as problem:
        if problem.missing:
            return Fence()
        raise
    try:
        fence = checked.unpack(_KIND, data, Fence, FENCE_NAME)
    except checked.Unsound as problem:
        raise IdentityDamaged(
            f"{FENCE_NAME}: {problem}; it says whether this member is fenced. Remove the file only"
            " if it surely isn't, and was not told of a newer lineage"
        ) from problem
    save_fence(disk, fence)
    return fence


def save_fence(disk: Disk, fence: Fence) -> None:
    """Write the file, durably. Raises NoRoom with nothing changed, DiskError."""
    data = checked.pack(_KIND, fence)
    sectors = data.ljust(aligned(len(data)), b"\0")
    checked.replace(disk, FENCE_NAME, sectors, Sync.IDENTITY)
    disk.sync_directory(Sync.IDENTITY_NAME)
