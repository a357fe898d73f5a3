"""The steps of a start that are no part of a store's life: finding or making what it stands on.

Decides: what an empty directory becomes, and what may be thrown away at a start.
Must not know: reading and writing.
Read next: store.py (open_store, their order), path.py, recovery.py.
"""

from collections.abc import Callable, Sequence

from replog_node.model.positions import MemberId, Term
from replog_node.storage.checked import TEMPORARY
from replog_node.storage.disk import Disk, Sync
from replog_node.storage.errors import IdentityDamaged
from replog_node.storage.hardstate import create_hard_state
from replog_node.storage.identity import IDENTITY_NAME, Identity, save_identity
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import Log, Random64
from replog_node.storage.path import Ground, find_ground
from replog_node.storage.recovery import discard_begun_log, recover_log
from replog_node.storage.reserve import Reserve
from replog_node.storage.segment import is_segment
from replog_node.storage.start import Start, save_start


def remove_temporary(disk: Disk) -> tuple[str, ...]:
    """Remove what was not finished; return the names of the other files. Raises DiskError."""
    names = disk.names()
    for name in names:
        if name.endswith(TEMPORARY):
            disk.remove(name)
    return tuple(name for name in names if not name.endswith(TEMPORARY))


def create_member(disk: Disk, names: Sequence[str], new_member_id: Callable[[], MemberId]) -> None:
    """Make an empty directory a member's: the identity comes last, so it vouches for the rest."""
    if any(map(is_segment, names)):
        raise IdentityDamaged(f"{IDENTITY_NAME} is missing, but there is a log")
    member = new_member_id()
    create_hard_state(disk, member)
    disk.sync_directory(Sync.MEMBER_NAMES)
    save_identity(disk, Identity(member))


def open_log(
    disk: Disk,
    limits: StoreLimits,
    random64: Random64,
    reserve: Reserve,
    identity: Identity,
    term: Term,
) -> tuple[Ground, Log | None]:
    """Return what the log stands on, and the log; none while the member is unassigned.

    term: no entry has a higher one. Raises LogDamaged, FormatUnknown, NoRoom, DiskError.
    """
    if identity.cluster_id is None:
        discard_begun_log(disk)
        return Ground(), None
    cluster_id = identity.cluster_id
    ground = find_ground(disk, limits, random64, reserve, cluster_id, identity.lineage)
    log = recover_log(disk, limits, random64, reserve, cluster_id, ground, term)
    if not ground.start.known:
        ground = Ground(Start(log.start.position), ground.found)
        save_start(disk, ground.start)
    return ground, log
