"""Entries, views and what lies on disks, to tell oracles of.

Decides: plausible values. Must not know: oracles.
Read next: facts.py.
"""

from typing import Final

from replog.wire.batches import NewRecord, build_batch
from replog_node.frames.build import build_entry
from replog_node.frames.decode import tail_of
from replog_node.model.configuration import Configuration, Member
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ORIGIN, MemberId, Offset, Position, Term
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.durable import Kept
from tests.simulation.oracles.matching import LogMatching
from tests.simulation.oracles.views import View

SEED: Final = Tail(ORIGIN, b"seed of the chain", 0)
A, B, C = (MemberId(name) for name in "abc")
VOTERS: Final = Configuration(tuple(Member(member, f"{member}:1") for member in (A, B, C)))


def entry(value: str, behind: Tail = SEED, *, term: int = 1) -> Entry:
    """An entry with one record."""
    batch = build_batch([NewRecord(value.encode())])
    return build_entry(Payload((), (batch.data,), 1), Term(term), behind, 0)


def entries(*values: str, behind: Tail = SEED, term: int = 1) -> list[Entry]:
    """Entries, one behind the other."""
    found: list[Entry] = []
    for value in values:
        found.append(entry(value, behind, term=term))
        behind = tail_of(found[-1])
    return found


def persist(*written: Entry, cut_to: Position | None = None) -> Persist:
    """Entries on their way to the disk."""
    return Persist(1, None, cut_to, written)


def chains(*logs: list[Entry]) -> Chains:
    """What is known once these logs were written, each by a member of its own."""
    found = Chains()
    matching = LogMatching(found)
    for number, log in enumerate(logs):
        matching.writing(f"writer{number}", persist(*log))
    return found


def kept(
    log: list[Entry], *, term: int = 1, vote: MemberId | None = None, start: Tail = SEED
) -> Kept:
    """A disk that holds this log."""
    return Kept(tail_of(log[-1]) if log else start, start, HardState(Term(term), vote))


def view(log: list[Entry], *, commit: int = -1, term: int = 1, role: str = "follower") -> View:
    """A member with this log, of which it has committed and applied up to an offset."""
    ends = {each.last: each.position for each in log}
    return View(
        term,
        role,
        ends.get(Offset(commit), ORIGIN),
        tail_of(log[-1]) if log else SEED,
        ORIGIN,
        commit,
        0,
        VOTERS,
    )
