"""A member with records and snapshots on a disk that can crash, ordered to go on alone.

Decides: what must be found once the order is carried out, or before. Must not know: its steps.
Read next: test_forcing.py.
"""

from functools import partial
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from replog.wire.schemas import SnapshotRequest, TrimRequest
from replog_node.frames.decode import controls
from replog_node.model.controls import ConfigurationChanged, LogCreated
from replog_node.model.entries import Entry
from replog_node.model.positions import Lineage, MemberId, Offset
from replog_node.recovery.forcing import finish
from replog_node.recovery.record import Fence, Force, load_fence, save_fence
from replog_node.storage.store import Store, open_store
from tests.support.simdisk import SimDisk
from tests.unit.driver.rig import STORE, Node, Rig, batch

OPERATION = "survey-1"
NEXT = Lineage(2, "the-next-life")


class Ordered(NamedTuple):
    """A disk with the order on it, and what it held when that was given."""

    disk: SimDisk
    member: MemberId
    others: tuple[MemberId, ...]
    fence: Fence
    entries: tuple[Entry, ...]
    states: dict[Offset, bytes]


def survivor(*, trimmed: bool, snapshots: bool = False) -> Node:
    """One of three members, the others of which are gone; nothing is on its way to its disk.

    snapshots: it has two. trimmed: and its log begins after the first of them.
    """
    rig = Rig(3).found()
    _fill(rig, 3)
    for _ in range(2 if snapshots or trimmed else 0):
        _fill(rig, 40)
        rig.nodes[0].call(SnapshotRequest())
        rig.tick(40)
    if trimmed:
        rig.nodes[0].call(TrimRequest(rig.nodes[0].driver.snapshot_offset - 20))
        rig.tick(10)
    _fill(rig, 3)
    for other in rig.nodes[:2]:
        other.kill()
    rig.cut_off = {other.member for other in rig.nodes[:2]}
    return rig.nodes[2]


def _fill(rig: Rig, count: int) -> None:
    for number in range(count):
        rig.nodes[0].append(batch(f"{number:04d}" + "x" * 3000))
        rig.deliver()
    rig.tick(2)


def ordered(node: Node) -> Ordered:
    """Let this member go on alone at its next start."""
    store, tail = node.store, node.store.tail
    force = Force(OPERATION, NEXT, tail.position, tail.chain)
    fence = Fence(operation=OPERATION, commit_offset=3, force=force)
    entries = all_of(store)
    states = {meta.position.offset: store.read_state(meta) for meta in store.snapshots}
    node.kill()
    save_fence(node.disk, fence)
    others = tuple(each.member for each in node.rig.nodes if each is not node)
    return Ordered(node.disk, node.member, others, fence, entries, states)


def all_of(store: Store) -> tuple[Entry, ...]:
    """Every entry of the log."""
    found: list[Entry] = []
    at = Offset(store.start.position.offset + 1)
    while more := store.read(at, 1 << 20):
        found += more
        at = Offset(found[-1].last + 1)
    return tuple(found)


def start(disk: SimDisk, incarnation: int = 9) -> tuple[Fence, Store]:
    """What a process does first."""
    random64 = partial(Random(incarnation).getrandbits, 64)
    fence = finish(lambda: disk, load_fence(disk), STORE, random64)
    return fence, open_store(disk, STORE, new_member_id=_nobody, random64=random64)


def _nobody() -> MemberId:
    raise AssertionError("the identity is lost")


def check_forced(before: Ordered, fence: Fence, store: Store) -> None:
    """The member is of the new life: all that it had, one entry more, itself alone."""
    assert fence == replace(before.fence, operation="", commit_offset=-1, force=None,
                            ended=OPERATION, forced=before.fence.force)  # fmt: skip
    assert store.recovered.lineage == NEXT
    entries = all_of(store)
    assert entries[:-1] == before.entries
    (_, created), (_, changed) = controls(entries[-1])
    assert isinstance(created, LogCreated) and created.lineage == NEXT
    assert isinstance(changed, ConfigurationChanged)
    found = changed.configuration
    assert found.voter_ids() == (before.member,)
    assert (found.outgoing, found.learners, found.target) == ((), (), None)
    assert set(before.others) <= set(found.removed) and found.target_reached
    assert entries[-1].term > before.entries[-1].term
    assert store.hard_state.current_term >= entries[-1].term
    assert {meta.lineage for meta in store.snapshots} <= {NEXT}
    states = {meta.position.offset: store.read_state(meta) for meta in store.snapshots}
    assert states == before.states


def check_not_begun(before: Ordered, store: Store) -> None:
    """Nothing has changed but how often the member was started."""
    assert store.recovered.lineage == Lineage(1, "abc")
    assert all_of(store) == before.entries


def went_on(node: Node) -> Ordered:
    """The member leads alone, has applied everything, and takes an append."""
    before = ordered(node)
    node.disk = before.disk.copy()
    fence, store = start(node.disk)
    check_forced(before, fence, store)
    store.close()
    node.disk.restart()
    node.start()
    node.rig.tick(100)
    status = node.driver.status("", {})
    assert (status.role, status.lineage) == ("leader", str(NEXT))
    assert [member.id for member in status.members] == [before.member]
    assert status.commit_offset == status.applied_offset == status.last_offset
    answers = node.append(batch("after"))
    node.rig.deliver()
    assert answers.codes == ["ok"]
    first = before.entries[0].base
    assert tuple(node.entries(first))[: len(before.entries)] == before.entries
    return before
