"""The log's next life begins: one member goes on alone, from all that its log holds.

Before the member starts, and driven by the order in the file `fence`, so that dying between any two
steps and starting again finishes it or has not begun it:

1. the log gets one entry more, in a new term: the log's new name, and a configuration of this
   member alone. All before it counts as committed from then on;
2. snapshots are written anew with the new lineage, one by one, their states as they were;
3. the identity gets the new lineage: the member is of the new life now;
4. the order is gone from the file `fence`, and with it the fence.

Once the first snapshot is of the new lineage the log isn't opened any more, since opening it
refuses snapshots of two lineages; its entry is durable by then.

Decides: these steps and their order. Must not know: who asked, whether it is right.
Read next: decisions.py, ../storage/store.py.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from replog_node.frames.build import build_entry
from replog_node.frames.decode import controls
from replog_node.model.configuration import Configuration
from replog_node.model.controls import ConfigurationChanged, LogCreated
from replog_node.model.entries import Entry, Payload
from replog_node.model.positions import ClusterId, Lineage, MemberId, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.recovery.decisions import alone, carried_out, given_up
from replog_node.recovery.record import Fence, Force, save_fence
from replog_node.storage.disk import Disk, Sync
from replog_node.storage.errors import SnapshotUnusable, StoreMisused
from replog_node.storage.identity import load_identity, save_identity
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import Random64
from replog_node.storage.snapshots import (
    described,
    is_part,
    is_snapshot,
    read_meta,
    read_state,
    write_snapshot,
)
from replog_node.storage.store import Store, open_store

CHANGE: Final = "force-members"
"""ConfigurationChanged.change of the entry with which a forced life begins."""

_TICKET: Final = 0
"""Nobody waits for the write."""


class OrderOutdated(Exception):
    """The log isn't any more what the order was given for; nothing of it was carried out."""


def finish(
    open_disk: Callable[[], Disk], fence: Fence, limits: StoreLimits, random64: Random64
) -> Fence:
    """Carry out the order in the file `fence`, if there is one; returns what the file says then.

    open_disk: the directory, which nobody holds; it is given back. Raises OrderOutdated with the
    order given up, and what open_store raises, with the order kept: the next start goes on.
    """
    force = fence.force
    if force is None:
        return fence
    disk = open_disk()
    try:
        begun = load_identity(disk).lineage == force.lineage or any(
            meta.lineage == force.lineage for _, meta in _snapshots(disk)
        )
    finally:
        disk.close()
    if not begun:
        _append(open_disk, fence, force, limits, random64)
    disk = open_disk()
    try:
        return _rename(disk, fence, force)
    finally:
        disk.close()


def _append(
    open_disk: Callable[[], Disk],
    fence: Fence,
    force: Force,
    limits: StoreLimits,
    random64: Random64,
) -> None:
    """Step 1."""
    disk = open_disk()
    try:
        store = open_store(disk, limits, new_member_id=_no_member, random64=random64)
    except BaseException:
        disk.close()
        raise
    try:
        if not _holds(store, force):
            fault = _fault(store, force)
            if fault is not None:
                save_fence(disk, given_up(fence))
                raise OrderOutdated(fault)
            store.write([_first(store, force)])
        store.write_idle_mark()
    finally:
        store.close()


def _rename(disk: Disk, fence: Fence, force: Force) -> Fence:
    """Steps 2 to 4."""
    for name, meta in _snapshots(disk):
        if meta.lineage != force.lineage:
            _renamed(disk, name, meta, force.lineage)
    for name in filter(is_part, disk.names()):
        disk.remove(name)  # it was fetched for the former life
    disk.sync_directory(Sync.SNAPSHOT_NAME)
    identity = load_identity(disk)
    if identity.lineage != force.lineage:
        save_identity(disk, replace(identity, lineage=force.lineage))
    done = carried_out(fence)
    save_fence(disk, done)
    return done


def _snapshots(disk: Disk) -> Iterator[tuple[str, SnapshotMeta]]:
    """Snapshots' files; those that are damaged aren't there: the next start removes them."""
    for name in filter(is_snapshot, disk.names()):
        try:
            yield name, read_meta(disk, name)
        except SnapshotUnusable:
            continue


def _renamed(disk: Disk, name: str, meta: SnapshotMeta, lineage: Lineage) -> None:
    try:
        state = read_state(disk, name, meta)
    except SnapshotUnusable:
        return  # as in _snapshots; if it has another copy, that one is sound
    named = described(replace(meta, lineage=lineage), state)
    disk.rename(write_snapshot(disk, named, state), name)


def _holds(store: Store, force: Force) -> bool:
    """Whether the log ends with the entry of this order already."""
    return any(
        isinstance(control, LogCreated) and control.lineage == force.lineage
        for entry in store.read(store.tail.position.offset, 1)
        for _, control in controls(entry)
    )


def _fault(store: Store, force: Force) -> str | None:
    tail = store.tail
    if store.holes or store.unproven is not None:
        return "part of the log can't be read any more"
    if (tail.position, tail.chain) != (force.position, force.chain):
        return f"the log ends at {tail.position}, not at {force.position}"
    if _configuration(store, store.recovered.member) is None:
        return f"{store.recovered.member} is no voter of its newest configuration"
    return None


def _first(store: Store, force: Force) -> Persist:
    """The entry with which the new life begins, in a term that nobody has used."""
    member, cluster_id = store.recovered.member, _known(store.recovered.cluster_id)
    configuration = _configuration(store, member)
    if configuration is None:
        raise StoreMisused(f"{member} is no voter")
    term = Term(max(store.hard_state.current_term, store.tail.position.term) + 1)
    made = (
        LogCreated(cluster_id, force.lineage),
        ConfigurationChanged(CHANGE, force.operation, configuration),
    )
    entry: Entry = build_entry(Payload(made), term, store.tail, store.tail.append_time_ms)
    return Persist(_TICKET, HardState(term, member), None, (entry,))


def _configuration(store: Store, member: MemberId) -> Configuration | None:
    known = store.bounds().configurations
    return alone(known[-1][1], member) if known else None


def _known(cluster_id: ClusterId | None) -> ClusterId:
    if cluster_id is None:
        raise StoreMisused("this member belongs to no cluster, so there is nothing to go on from")
    return cluster_id


def _no_member() -> MemberId:
    raise StoreMisused("there is no member in this directory")
