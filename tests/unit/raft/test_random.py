"""Cores under chance: messages lost, doubled and reordered, disks slow, processes dying, targets,
logs that are let go of behind a snapshot while others still lack them, disks that are full or have
holes for a while, or lose the end of a log.

Figure 3 of the paper is checked after every step. A failure names its seed. The whole system under
faults is tests/simulation; this is the core alone, hence thousands of steps a second.
"""

from random import Random

import pytest
from msgspec.structs import replace

from replog_node.raft.effects import Accepted, InstallSnapshot
from tests.support.figure_3 import Figure3
from tests.unit.raft.cluster import LIMITS, Cluster, Node, data, target

SMALL = replace(
    LIMITS, cache_bytes=1500, max_inflight_count=3, learner_patience_ticks=30, departure_ticks=60,
    election_ticks=6, uncommitted_bytes=4000,
)  # fmt: skip


class Chaos:
    """A cluster and a source of chance."""

    def __init__(self, seed: int, *, voters: str, others: str) -> None:
        self.random = Random(seed)
        self.cluster = Cluster(voters, others=others, limits=SMALL, watcher=Figure3())
        self.names = voters + others
        self.operations = 0
        self.contexts = 0
        self.torn = 0

    def move(self) -> None:
        """One thing happens."""
        names = [n for n in self.names if n not in self.cluster.dead]
        chance = self.random.random()
        if chance < 0.50:
            self._arrive()
        elif chance < 0.70:
            self._write(self.random.choice(names))
        elif chance < 0.85:
            self.cluster[self.random.choice(names)].tick()
        elif chance < 0.995:
            self._ask(self.cluster[self.random.choice(names)])
        else:
            self._break(names)

    def _arrive(self) -> None:
        flying = self.cluster.flying
        if not flying:
            return
        index = 0 if self.random.random() < 0.8 else self.random.randrange(len(flying))
        envelope = flying[index]
        if self.random.random() > 0.02:
            del flying[index]
        if self.random.random() > 0.02:
            self.cluster.receive(envelope)
        while len(flying) > 200:
            flying.popleft()

    def _write(self, name: str) -> None:
        if self.cluster.reads:
            self.cluster.move_reads()
        if self.random.random() < 0.2:
            self.cluster.fetch_one()
        if self.cluster[name].disk.queue:
            self.cluster[name].persist_one()
        elif self.random.random() < 0.1:
            self._keep(self.cluster[name])
        elif self.random.random() < 0.05:
            self._disk(self.cluster[name])

    def _disk(self, node: Node) -> None:
        """Its disk gets full, or a hole, or is well again; holes are in what can still be read."""
        what = self.random.random()
        ends = [entry.base for entry in node.disk.entries]
        hole = self.random.choice(ends) if ends and what < 0.3 else None
        node.disk_is(full=0.3 <= what < 0.5, hole=hole)

    def _keep(self, node: Node) -> None:
        """A snapshot of what is committed and on disk, and the log let go of behind it."""
        least = -1 if node.disk.base is None else node.disk.base.position.offset
        most = node.core.status().commit.offset
        ends = [entry.last for entry in node.disk.entries if least < entry.last <= most]
        if ends:
            position = self.random.choice(ends)
            starts = [entry.last for entry in node.disk.entries if entry.last <= position]
            node.keep(position, self.random.choice([*starts, node.disk.begins.offset]))

    def _ask(self, node: Node) -> None:
        what = self.random.random()
        if what < 0.7:
            node.propose(data(self.random.randint(1, 3), self.random.randint(1, 300)))
        elif what < 0.9:
            self.contexts += 1
            node.read(self.contexts)
        elif what < 0.95:
            node.transfer()
        else:
            self._aim(node)

    def _aim(self, node: Node) -> None:
        names = "".join(self.random.sample(self.names, self.random.randint(1, 4)))
        planned = node.core.status().configuration_offset
        operation = f"op-{self.operations}"
        if isinstance(node.aim(target(names, operation, planned)), Accepted):
            self.operations += 1

    def _break(self, names: list[str]) -> None:
        what = self.random.random()
        if what < 0.3 and len(names) > 3:
            self.cluster.crash(self.random.choice(names))
        elif what < 0.6 and self.cluster.dead:
            self.cluster.restart(self.random.choice(sorted(self.cluster.dead)))
        elif what < 0.7:
            self._tear(self.random.choice(names))
        elif what < 0.8:
            self.cluster.isolate(self.random.choice(names))
        else:
            self.cluster.heal()

    def _tear(self, name: str) -> None:
        """One of three or more loses the end of its log; without it there is a quorum, of members
        that all know that they vote."""
        known = [node.core.status() for node in self.cluster.nodes.values()]
        found = {s.member: s.configuration for s in known if s.configuration}
        few = any(len(c.voters) < 3 or 0 < len(c.outgoing) < 3 for c in found.values())
        voters = {m.id for c in found.values() for m in (*c.voters, *c.outgoing)}
        if few or not all(v in found and found[v].is_voter(v) for v in voters):
            return
        disk = self.cluster[name].disk
        least = -1 if disk.base is None else disk.base.position.offset
        ends = [entry.last for entry in disk.entries[:-1] if entry.last >= least]
        if ends and not any(status.unproven for status in known):
            self.cluster.tear(name, self.random.choice(ends))
            self.torn += 1

    def settle(self) -> None:
        """Everything works again: somebody leads, the target is reached, everybody has the log."""
        for node in self.cluster.nodes.values():
            node.disk_is()
        self.cluster.heal()
        for name in sorted(self.cluster.dead):
            self.cluster.restart(name)
        for _ in range(1000):
            self.cluster.run()
            if self._settled():
                return
        raise AssertionError(f"not settled: {self.cluster.picture()}")

    def _settled(self) -> bool:
        leaders = [n for n in self.cluster.nodes.values() if n.core.role == "leader"]
        if len(leaders) != 1 or leaders[0].core.admitting is not None:
            return False
        status = leaders[0].core.status()
        configuration = status.configuration
        if configuration is None or configuration.joint or configuration.learners:
            return False
        wanted = configuration.target
        aimed = wanted is None or wanted.operation in configuration.done
        voters = [self.cluster[m] for m in configuration.voter_ids()]
        begins = max(node.disk.begins.offset for node in voters)
        logs = [[end for end in node.log() if end[1] > begins] for node in voters]
        return aimed and all(log == logs[0] for log in logs) and status.commit == status.last


@pytest.mark.parametrize("seed", range(20))
def test_cores_agree_whatever_happens_and_settle_afterwards(seed: int) -> None:
    chaos = Chaos(seed, voters="abc", others="xyz")
    for _ in range(3000):
        chaos.move()
    chaos.settle()
    _each_operation_once(chaos.cluster)


def test_in_such_runs_logs_begin_at_snapshots_that_others_sent_and_ends_are_lost() -> None:
    installed, torn = [], 0
    for seed in range(4):
        chaos = Chaos(seed, voters="abc", others="xyz")
        for _ in range(3000):
            chaos.move()
        chaos.settle()
        installed += [e for _, e in chaos.cluster.trace if isinstance(e, InstallSnapshot)]
        torn += chaos.torn
    assert len(installed) >= 4
    assert torn >= 2


def _each_operation_once(cluster: Cluster) -> None:
    """One enter-joint and one leave-joint record an operation, at most, in this order."""
    seen: dict[str, list[str]] = {}
    for base in sorted(cluster.log):
        configuration = cluster.log[base].configuration
        text = cluster.log[base].frame.decode()
        if configuration is None or configuration.target is None:
            continue
        for kind in ("enter-joint", "leave-joint"):
            if f"change='{kind}'" in text:
                seen.setdefault(configuration.target.operation, []).append(kind)
    for operation, kinds in seen.items():
        assert kinds in (["enter-joint", "leave-joint"], ["enter-joint"]), (operation, kinds)
