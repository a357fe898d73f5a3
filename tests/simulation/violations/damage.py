"""False facts about damage, parking and snapshots, told to one oracle each.

Decides: the smallest violation of each. Must not know: worlds.
Read next: facts.py, material.py.
"""

from __future__ import annotations

from msgspec.structs import replace

from replog_node.model.configuration import Configuration
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.messages import AppendReply, VoteReply
from replog_node.storage.disk import Sync
from replog_node.storage.errors import LogDamaged, ReadRefused
from replog_node.storage.limits import StoreLimits
from replog_node.storage.segment import is_segment
from replog_node.storage.snapshots import snapshot_name
from replog_node.storage.store import SegmentInfo, Store, open_store
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.folds import TrueSnapshots
from tests.simulation.oracles.holes import Holes
from tests.simulation.oracles.joined import JoinedSegments
from tests.simulation.oracles.parking import Parking
from tests.simulation.oracles.standins import StandIns
from tests.simulation.oracles.targets import TrueTargets
from tests.simulation.oracles.unharmed import Unharmed
from tests.simulation.violations.material import VOTERS, A, entries, view
from tests.simulation.violations.registry import breaks
from tests.support.simdisk import SimDisk


@breaks(JoinedSegments)
def entries_are_in_no_segment() -> None:
    oracle = JoinedSegments()
    first, second = (
        SegmentInfo(Offset(0), Offset(4), 700, 0),
        SegmentInfo(Offset(5), Offset(9), 700, 0),
    )
    oracle.seen("m0", [first, second])
    oracle.seen("m0", [first, second._replace(base=Offset(6))])


@breaks(Unharmed)
def a_disk_that_never_rotted_is_damaged() -> None:
    oracle, disk = Unharmed(), SimDisk()
    oracle.found("m0", disk, ReadRefused("a segment", "not now"))
    oracle.found("m0", disk, LogDamaged("a segment", Offset(3), "no chain"))


@breaks(Unharmed)
def a_start_finds_a_snapshot_damaged_that_nobody_harmed() -> None:
    store = _opened(SimDisk())
    Unharmed().started("m0", SimDisk(), store)
    store.recovered = replace(store.recovered, damaged_snapshots=("a snapshot",))
    Unharmed().started("m0", SimDisk(), store)


def _opened(disk: SimDisk) -> Store:
    store = open_store(disk, StoreLimits(), new_member_id=lambda: A, random64=lambda: 1)
    assert not any(map(is_segment, disk.names()))
    return store


@breaks(StandIns)
def one_file_stands_for_what_is_gone() -> None:
    disk = SimDisk()
    one, other = _name_at(3), _name_at(7)
    for name in (one, other):
        disk.create(name, 0).close()
        disk.sync_directory(Sync.SNAPSHOT_NAME)
    StandIns().released("m0", disk, 2)
    StandIns().released("m0", disk, 5)


def _name_at(offset: int) -> str:
    _, meta = _of_a_joint_membership()
    return snapshot_name(replace(meta, position=Position(Term(1), Offset(offset))))


@breaks(TrueTargets)
def a_target_is_told_that_nobody_has_committed() -> None:
    log = CommittedLog()
    log.entries.append(replace(entries("x")[0], configuration=replace(VOTERS, done=("target-1",))))
    oracle = TrueTargets(log)
    oracle.answered("target-1")
    oracle.answered("target-2")


@breaks(Holes)
def a_member_with_a_hole_stands_for_election() -> None:
    holed = view(entries("x", "y"))._replace(first_hole=1)
    Holes().stepped("m0", holed, holed._replace(role="pre-candidate"))


@breaks(Holes)
def a_hole_is_acknowledged() -> None:
    log = entries("x", "y", "z")
    oracle, holed = Holes(), view(log[:2])._replace(first_hole=1)
    oracle.stepped("m0", view(log[:2]), holed)
    for each in log:
        reply = AppendReply(Term(1), 1, True, each.position, each.position)
        oracle.sent("m0", reply, commit=-1, unproven=False)


@breaks(Holes)
def a_member_without_an_end_votes() -> None:
    vote = VoteReply(Term(2), True, False, 1)
    Holes().sent("m0", vote, commit=-1, unproven=False)
    Holes().sent("m0", vote, commit=-1, unproven=True)


@breaks(Parking)
def a_member_parks_that_nobody_removed() -> None:
    gone = MemberId("gone")
    Parking().parks("m0", gone, [VOTERS, replace(VOTERS, removed=(gone,))])
    Parking().parks("m0", gone, [VOTERS])


@breaks(TrueSnapshots)
def a_snapshot_has_lost_half_of_a_membership() -> None:
    oracle, meta = _of_a_joint_membership()
    oracle.built("m0", meta)
    oracle.built("m0", replace(meta, configuration=replace(meta.configuration, outgoing=())))


@breaks(TrueSnapshots)
def a_snapshot_ends_with_another_entry() -> None:
    oracle, meta = _of_a_joint_membership()
    oracle.built("m0", replace(meta, chain=b"another"))


def _of_a_joint_membership() -> tuple[TrueSnapshots, SnapshotMeta]:
    log = CommittedLog()
    joint: Configuration = replace(VOTERS, outgoing=VOTERS.voters[:1])
    entry = entries("x")[0]
    log.entries.append(replace(entry, configuration=joint))
    meta = SnapshotMeta(
        entry.position, entry.chain, 0, Offset(0), joint, entry.last,
        ClusterId("c"), Lineage(1, "l"), 1, 100, b"",
    )  # fmt: skip
    return TrueSnapshots(log), meta
