"""A core's whole memory as a value, and a core that goes on (replog_node/raft/checkpoint.py)."""

from typing import Final

import msgspec
import pytest

from replog_node.model.entries import Entry
from replog_node.model.positions import Offset
from replog_node.raft import checkpoint
from replog_node.raft.checkpoint import Checkpoint
from replog_node.raft.core import Core
from replog_node.raft.violation import InvariantViolation
from tests.unit.raft.cluster import Cluster, data
from tests.unit.raft.test_random import Chaos

LEFT_OUT: Final = {
    "Core": {
        "_s",
        "_elections",
        "_follower",
        "_snapshots",
        "_asked",
        "_leader",
        "_watch",
        "_peers",
        "_peers_of",  # worked out anew when they are asked for
    },
    "CoreState": {"member", "incarnation", "limits", "framer", "log", "electorate", "out"},
    "Log": {"_entries", "_bases", "_head", "_evicted_bytes"},
    "Elections": {"_s"},
    "Snapshots": {"_s"},
    "FollowerReads": {"_s"},
    "Leader": {"_s", "replication", "reads", "transfer", "handover", "time"},
    "Replication": {"_s", "_members"},
    "Progress": set[str](),
    "LeaderReads": {"_s", "_replication"},
    "Transfer": {"_s", "_replication"},
    "Handover": {"_s", "_transfer"},
    "LogTime": {"_s"},
}
"""Attributes that no struct has: parts that have one of their own, whom a part knows, what follows
from others, and where the cache keeps what it let go of."""


def _parts(core: Core) -> list[tuple[object, type[msgspec.Struct]]]:
    """A leader's parts, each with the struct of its memory."""
    state, leader = core._s, core._leader
    assert leader is not None
    return [
        (core, checkpoint.CoreMemory),
        (state, checkpoint.StateMemory),
        (state.log, checkpoint.LogMemory),
        (core._elections, checkpoint.ElectionsMemory),
        (core._snapshots, checkpoint.SnapshotsMemory),
        (core._asked, checkpoint.AskedMemory),
        (leader, checkpoint.LeaderMemory),
        (leader.replication, checkpoint.ReplicationMemory),
        (next(iter(leader.replication._members.values())), checkpoint.ProgressMemory),
        (leader.reads, checkpoint.ReadsMemory),
        (leader.transfer, checkpoint.TransferMemory),
        (leader.handover, checkpoint.HandoverMemory),
        (leader.time, checkpoint.TimeMemory),
    ]


def test_every_attribute_of_the_core_is_in_the_checkpoint_or_left_out_by_name() -> None:
    for part, memory in _parts(Cluster("abc").elect("a").core):
        kind = type(part).__name__
        kept = {name.lstrip("_") for name in vars(part).keys() - LEFT_OUT[kind]}
        assert kept == set(memory.__struct_fields__), kind
        assert vars(part).keys() >= LEFT_OUT[kind], kind


def test_the_follower_has_no_memory_of_its_own() -> None:
    assert set(vars(Cluster("abc")["a"].core._follower)) == {"_s", "_elections"}


def _again(core: Core) -> Core:
    """The core by way of its bytes."""
    encoded = msgspec.msgpack.encode(checkpoint.take(core))
    decoded = msgspec.msgpack.decode(encoded, type=Checkpoint)
    restored = checkpoint.restore(decoded, core._s.framer, _cached(core, decoded))
    assert msgspec.msgpack.encode(checkpoint.take(restored)) == encoded
    return restored


def _cached(core: Core, taken: Checkpoint) -> tuple[Entry, ...]:
    bases = taken.cached.bases
    return tuple(core.recent(bases[0]) or ()) if bases else ()


@pytest.mark.parametrize("seed", range(6))
def test_a_run_whose_cores_are_restored_over_and_over_is_the_same_run(seed: int) -> None:
    plain, restored = (Chaos(seed, voters="abc", others="xyz") for _ in range(2))
    for turn in range(3000):
        plain.move()
        restored.move()
        if turn % 7 == 0:
            node = restored.cluster[restored.names[turn // 7 % len(restored.names)]]
            node.core = _again(node.core)
    assert restored.cluster.trace == plain.cluster.trace


def test_other_entries_than_the_cached_ones_are_refused() -> None:
    node = Cluster("abc").elect("a")
    taken = checkpoint.take(node.core)
    with pytest.raises(InvariantViolation, match="aren't those"):
        checkpoint.restore(taken, node.core._s.framer, ())


def test_the_cache_is_told_by_place_and_length_alone() -> None:
    node = Cluster("abc").elect("a")
    node.propose(data(3, size=5000))
    cached = checkpoint.take(node.core).cached
    entries = node.core.recent(Offset(2)) or ()
    assert [entry.last for entry in entries] == [2, 5]
    assert cached.bases == [entry.base for entry in entries]
    assert cached.sizes == [entry.size_bytes for entry in entries]
    assert len(msgspec.msgpack.encode(checkpoint.take(node.core))) < 4000
