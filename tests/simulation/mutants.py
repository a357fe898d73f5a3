"""Known bugs, put back one at a time: each must be caught, or the simulation proves little.

A mutant is a piece of the node's source and what a plausible mistake would have written there. It
runs in a process of its own, on a copy of the package, with seeds that are known to catch it.

Decides: which bugs, and the seed that shows each. Must not know: how the bug shows.
Read next: test_mutants.py, directed.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from replog_node.raft.violation import InvariantViolation
from replog_node.storage.errors import StorageError
from tests.simulation.checks import Broken
from tests.simulation.directed import run_directed
from tests.simulation.run import simulate

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "node" / "replog_node"

HARSH: Final = (
    "power", "power", "power-all", "kill", "partition", "pause", "one-way", "crash-write", "deaf",
    "slow-disk", "stall", "lossy", "transfer", "break", "halves", "heal", "heal", "heal",
)  # fmt: skip
HARSH_MS: Final = 700
"""Faults come about twice as often as in the other runs."""


@dataclass(frozen=True)
class Mutant:
    """file: in the package; old: a piece that it holds once; new: what takes its place.

    scenario: of directed.py, that catches it; without one: seed, members: of a run that does;
    change: whether the membership changes meanwhile.
    """

    name: str
    file: str
    old: str
    new: str
    scenario: str = ""
    seed: int = 0
    members: int = 3
    change: bool = False


def harsh(seed: int, *, members: int, change: bool) -> None:
    """A short run with many faults."""
    kinds = (*HARSH, "retarget", "retarget", "retarget") if change else HARSH
    simulate(seed, members=members, kinds=kinds, seconds=12, every_ms=HARSH_MS, askers=False)


def put_in(mutant: Mutant, into: Path) -> None:
    """Copy the package with the bug in it."""
    copy = into / "replog_node"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / mutant.file
    source = path.read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.name}: {mutant.file} holds its piece {source.count(mutant.old)}×"
        )
    path.write_text(source.replace(mutant.old, mutant.new))


def run(mutant: Mutant, into: Path, *, timeout_s: float = 150) -> str | None:
    """Run the copy; return how it was caught, None if it wasn't."""
    paths = (into, ROOT / "node", ROOT / "operator", ROOT)
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.simulation.mutants",
            mutant.scenario, str(mutant.seed), str(mutant.members), str(mutant.change),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    if done.returncode != CAUGHT:
        raise RuntimeError(f"{mutant.name} did not even run: {done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[0]


STOPS: Final = (Broken, InvariantViolation, StorageError, ValueError, AssertionError)
"""What counts as caught: a check that fails, or a member that stops in place of going wrong."""

CAUGHT: Final = 3
"""The exit status of a run that found a fault."""


def check(scenario: str, seed: int, members: int, *, change: bool) -> None:
    """Run what catches a mutant; raises Broken if something is wrong."""
    if scenario:
        run_directed(scenario)
    else:
        harsh(seed, members=members, change=change)


def main(scenario: str, seed: str, members: str, change: str) -> int:
    """One run; its exit status tells whether a fault was found."""
    try:
        check(scenario, int(seed), int(members), change=change == "True")
    except STOPS as caught:
        sys.stdout.write(f"{type(caught).__name__}: {caught}\n")
        return CAUGHT
    return 0


MUTANTS: Final = (
    Mutant(
        "an entry of an older term is committed by counting",
        "raft/leader.py",
        "if reached <= s.commit.offset or s.log.term_at(reached) != s.term:",
        "if reached <= s.commit.offset:",
        scenario="an_old_entry_reaches_a_majority_late",
    ),
    Mutant(
        "a vote leaves before it is durable",
        "raft/elections.py",
        "reply = VoteReply(term, granted, request.pre, request.attempt)\n"
        "        s.send(envelope.sender, reply, after_ticket=s.hard_ticket,",
        "reply = VoteReply(term, granted, request.pre, request.attempt)\n"
        "        s.send(envelope.sender, reply, after_ticket=0,",
        scenario="a_voter_dies_between_two_candidates",
    ),
    Mutant(
        "a restart forgets the vote",
        "raft/state.py",
        "self.hard = started.hard_state",
        "self.hard = HardState(started.hard_state.current_term, None)",
        scenario="a_voter_dies_between_two_candidates",
    ),
    Mutant(
        "entries are acknowledged before they are durable",
        "raft/follower.py",
        "ticket = max(s.hard_ticket, s.log.ticket_for(match.offset) if ok else 0)",
        "ticket = s.hard_ticket",
        scenario="a_follower_dies_before_its_disk_has_it",
    ),
    Mutant(
        "the leader counts its own entries before they are durable",
        "raft/leader.py",
        "held[s.member] = s.acknowledged(s.log.durable).offset",
        "held[s.member] = s.log.last.offset",
        scenario="a_leader_dies_before_its_own_disk_has_it",
    ),
    Mutant(
        "a follower looks at the offset of prev, not at its term",
        "raft/follower.py",
        "if not s.log.has(prev):",
        "if prev.offset > s.log.last.offset:",
        scenario="an_old_entry_reaches_a_majority_late",
    ),
    Mutant(
        "a follower commits what it holds, agreed or not",
        "raft/follower.py",
        "min(leader_commit, match.offset)",
        "min(leader_commit, self._s.log.last.offset)",
        scenario="an_old_leader_returns",
    ),
    Mutant(
        "a read is confirmed without a quorum",
        "raft/reads.py",
        "return self._s.electorate.agreed(answered)",
        "return True",
        scenario="a_deposed_leader_is_asked_for_a_read",
    ),
    Mutant(
        "a read is confirmed by a round that began before it",
        "raft/reads.py",
        "(self._replication.heartbeat(), index, askers)",
        "(self._replication.round, index, askers)",
        scenario="a_deposed_leader_is_asked_for_a_read",
    ),
    Mutant(
        "repeats are appended again",
        "state/head.py",
        "if original is not None:",
        "if original is None and batch.count < 0:",
    ),
    Mutant(
        "head state outlives the lead",
        "driver/driver.py",
        "self._head.drop()",
        "pass",
        scenario="a_leader_leads_again",
    ),
    Mutant(
        "a leader appends before it has applied what it inherited",
        "driver/obstacles.py",
        "if self._applied.offset < core.ready_at:",
        "if core.ready_at < 0:",
        scenario="a_leader_has_not_applied_yet_what_it_inherited",
    ),
    Mutant(
        "a group is sent again after its connection broke",
        "driver/callers.py",
        "self.forwards.outstanding.lost(member)",
        "for sent in self.forwards.outstanding._sent.values():\n"
        "            self.appends.put_back([w for w in sent.callers if w is not None])\n"
        "        self.forwards.outstanding._sent.clear()",
        scenario="a_connection_breaks_before_the_answer",
    ),
    Mutant(
        "an entry's outcome is told by its offset alone",
        "driver/ledger.py",
        "_answer(promise, term_at(promise.base))",
        "_answer(promise, promise.term)",
        scenario="an_old_leader_returns",
    ),
    Mutant(
        "a lost connection is told as if nothing had happened",
        "driver/outstanding.py",
        'ApiError("outcome_unknown", "the connection to the leader broke")',
        'ApiError("not_leader", "the connection to the leader broke")',
        scenario="a_connection_breaks_before_the_answer",
    ),
    Mutant(
        "a call that arrives twice is carried out twice",
        "driver/once.py",
        "if call in seen or call <= highest - WINDOW:",
        "if call <= highest - WINDOW:",
        scenario="a_message_arrives_twice",
    ),
    Mutant(
        "what the disk gave is applied, whoever wrote it",
        "driver/applier.py",
        "if self._kernel.term_at(entry.last) != entry.term:",
        "if self._kernel.term_at(entry.last) is None:",
        scenario="a_read_from_disk_is_overtaken",
    ),
    Mutant(
        "a joint change asks only the new half to commit",
        "raft/quorum.py",
        "return min(new, majority_reached(self.outgoing, held))",
        "return new",
        scenario="the_old_half_does_not_know_that_it_is_replaced",
    ),
    Mutant(
        "a joint change asks only the new half to elect",
        "raft/quorum.py",
        "halves = (new, majority_verdict(self.outgoing, votes))",
        "halves = (new,)",
        scenario="both_halves_elect",
    ),
)

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
