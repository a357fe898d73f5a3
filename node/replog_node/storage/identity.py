"""Who this member is: its UUID, the cluster and lineage it belongs to, and which run this is.

Decides: the file `identity`, and that every change of it is whole and durable.
Must not know: the log, votes, who assigns.
Read next: hardstate.py.
"""

from typing import Final

import msgspec

from replog_node.model.positions import ClusterId, Lineage, MemberId
from replog_node.storage import checked
from replog_node.storage.blocks import aligned
from replog_node.storage.disk import Disk, Sync
from replog_node.storage.errors import IdentityDamaged

IDENTITY_NAME: Final = "identity"
_KIND: Final = b"RLid"


class Identity(msgspec.Struct, frozen=True):
    """What a data directory says about itself.

    cluster_id, lineage: None until assigned, and then for good. incarnation: how many times the
    member was started; raised durably before the process says its first word. founding: the
    operation that made this member found its cluster, "" if it joined one: a founder that died
    before its log's first entry was durable writes it at the next start. removed: whether the
    member knows that its cluster has removed it; then it never takes part again.
    """

    member: MemberId
    cluster_id: ClusterId | None = None
    lineage: Lineage | None = None
    incarnation: int = 0
    founding: str = ""
    removed: bool = False


def load_identity(disk: Disk) -> Identity:
    """Return what the file says; raises IdentityDamaged. There must be such a file."""
    try:
        return checked.unpack(
            _KIND, checked.read_whole(disk, IDENTITY_NAME), Identity, IDENTITY_NAME
        )
    except checked.Unsound as problem:
        raise IdentityDamaged(f"{IDENTITY_NAME}: {problem}") from problem


def save_identity(disk: Disk, identity: Identity) -> None:
    """Write the file, durably: afterwards the old one is gone for good. Raises DiskError."""
    data = checked.pack(_KIND, identity)
    sectors = data.ljust(aligned(len(data)), b"\0")
    checked.replace(disk, IDENTITY_NAME, sectors, Sync.IDENTITY)
    disk.sync_directory(Sync.IDENTITY_NAME)
