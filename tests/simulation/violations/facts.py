"""False facts, told to one oracle: what members do.

Decides: the smallest violation of each. Must not know: worlds.
Read next: answers.py.
"""

from __future__ import annotations

from replog_node.frames.build import build_entry
from replog_node.frames.decode import tail_of
from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry, Payload
from replog_node.model.positions import ORIGIN, ClusterId, Lineage, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.membership import with_level
from replog_node.raft.messages import AppendReply, RequestVote, VoteReply
from tests.simulation.oracles.appendonly import LeaderAppendOnly
from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.completeness import LeaderCompleteness
from tests.simulation.oracles.elections import ElectionSafety
from tests.simulation.oracles.frames import EqualFrames
from tests.simulation.oracles.levels import SpokenLevels
from tests.simulation.oracles.machine import StateMachineSafety
from tests.simulation.oracles.matching import LogMatching
from tests.simulation.oracles.memory import NothingForgotten
from tests.simulation.oracles.monotonic import Monotonic
from tests.simulation.oracles.promises import TrueAcknowledgements
from tests.simulation.oracles.readiness import Readiness
from tests.simulation.oracles.retention import Retention
from tests.simulation.oracles.served import ServedTrue
from tests.simulation.oracles.snapshots import EqualSnapshots
from tests.simulation.oracles.states import EqualStates
from tests.simulation.oracles.votes import OneVote
from tests.simulation.oracles.whole_logs import EqualLogs
from tests.simulation.violations.material import (
    SEED,
    VOTERS,
    A,
    B,
    C,
    chains,
    entries,
    kept,
    persist,
    view,
)
from tests.simulation.violations.registry import breaks


@breaks(ElectionSafety)
def two_lead_one_term() -> None:
    oracle = ElectionSafety()
    oracle.led("m0", 3)
    oracle.led("m0", 3)
    oracle.led("m1", 3)


@breaks(LeaderAppendOnly)
def a_leader_replaces_its_last_entry() -> None:
    log = entries("x", "y")
    other = [log[0], *entries("z", behind=tail_of(log[0]), term=2)]
    oracle = LeaderAppendOnly(chains(log, other))
    oracle.stepped("m0", view(log[:1], role="leader"), view(log, role="leader"))
    oracle.stepped("m0", view(log, role="leader"), view(other, role="leader"))


@breaks(LeaderAppendOnly)
def a_leader_cuts_its_log() -> None:
    log = entries("x", "y")
    oracle = LeaderAppendOnly(chains(log))
    oracle.stepped("m0", view(log, role="leader"), view(log[:1], role="leader"))


@breaks(LogMatching)
def two_entries_of_one_term_and_offset() -> None:
    oracle = LogMatching(Chains())
    oracle.writing("m0", persist(*entries("x")))
    oracle.writing("m1", persist(*entries("y")))


@breaks(LogMatching)
def an_entry_behind_another_than_its_predecessor() -> None:
    one, other = entries("x"), entries("y", term=2)
    behind = entries("z", behind=tail_of(one[0]), term=3)
    oracle = LogMatching(Chains())
    oracle.writing("m0", persist(*one, *behind))
    oracle.writing("m1", persist(*other, *behind))


@breaks(LeaderCompleteness)
def a_leader_lacks_what_was_committed_before_its_term() -> None:
    log = entries("x", "y")
    known = chains(log)
    commits = Commits(known)
    commits.extend(log[-1].chain, 1)
    oracle = LeaderCompleteness(known, commits)
    oracle.stepped("m1", view(log, term=2), view(log, term=2, role="leader"))
    oracle.stepped("m2", view(log[:1], term=1), view(log[:1], term=1, role="leader"))
    oracle.stepped("m2", view(log[:1], term=3), view(log[:1], term=3, role="leader"))


@breaks(Monotonic)
def a_term_goes_back() -> None:
    Monotonic().stepped("m0", view([], term=3), view([], term=2))


@breaks(Monotonic)
def a_commit_goes_back() -> None:
    log = entries("x", "y")
    Monotonic().stepped("m0", view(log, commit=1), view(log, commit=0))


@breaks(Monotonic)
def what_is_applied_goes_back() -> None:
    log = entries("x", "y")
    was = view(log, commit=1)
    Monotonic().stepped("m0", was, was._replace(applied=0))


@breaks(Monotonic)
def a_log_start_goes_back() -> None:
    was = view(entries("x"), commit=0)._replace(log_start=5)
    Monotonic().stepped("m0", was, was._replace(log_start=4))


@breaks(Monotonic)
def more_is_applied_than_committed() -> None:
    was = view(entries("x"), commit=0)
    Monotonic().stepped("m0", was, was._replace(applied=1))


@breaks(NothingForgotten)
def a_restart_finds_an_older_term() -> None:
    oracle = NothingForgotten(Chains(), Commits(Chains()))
    oracle.restarted("m0", kept([], term=3), kept([], term=2), damaged=False)


@breaks(NothingForgotten)
def a_restart_finds_another_vote() -> None:
    oracle = NothingForgotten(Chains(), Commits(Chains()))
    oracle.restarted("m0", kept([], vote=A), kept([], vote=None), damaged=False)


@breaks(NothingForgotten)
def a_restart_finds_less_of_the_committed_log() -> None:
    log = entries("x", "y")
    known = chains(log)
    commits = Commits(known)
    commits.extend(log[-1].chain, 1)
    oracle = NothingForgotten(known, commits)
    oracle.restarted("m0", kept(log), kept(log[:1]), damaged=True)
    oracle.restarted("m0", kept(log), kept(log[:1]), damaged=False)


@breaks(NothingForgotten)
def a_restart_finds_an_entry_of_a_later_term() -> None:
    oracle, log = NothingForgotten(Chains(), Commits(Chains())), entries("x", term=3)
    oracle.restarted("m0", kept([], term=2), kept(log, term=3), damaged=False)
    oracle.restarted("m0", kept([], term=2), kept(log, term=2), damaged=False)


@breaks(Readiness)
def a_member_says_too_early_that_it_has_caught_up() -> None:
    log = entries("x", "y")
    known = chains(log)
    commits = Commits(known)
    commits.extend(log[-1].chain, 1)
    oracle = Readiness(commits)
    for node, applied in (("m0", 1), ("m1", 0)):
        oracle.started(node)
        oracle.stepped(node, ready=False, applied=0)
        oracle.stepped(node, ready=True, applied=applied)


@breaks(OneVote)
def a_member_votes_twice_in_a_term() -> None:
    oracle = OneVote()
    vote = VoteReply(Term(2), True, False, 1)
    oracle.sent(A, B, vote, kept([], term=2, vote=B))
    oracle.sent(A, C, vote, kept([], term=2, vote=C))


@breaks(OneVote)
def a_candidate_votes_for_another_as_well() -> None:
    oracle = OneVote()
    question = RequestVote(Term(2), ORIGIN, False, False, 1)
    oracle.sent(A, B, question, kept([], term=2, vote=A))
    oracle.sent(A, C, VoteReply(Term(2), True, False, 1), kept([], term=2, vote=C))


@breaks(OneVote)
def a_vote_leaves_that_is_not_on_disk() -> None:
    OneVote().sent(A, B, VoteReply(Term(2), True, False, 1), kept([], term=1, vote=B))


@breaks(TrueAcknowledgements)
def a_member_acknowledges_more_than_it_has() -> None:
    log = entries("x", "y")
    oracle = TrueAcknowledgements(chains(log))
    oracle.sent("m0", _holds(log[0].position), kept(log[:1]))
    oracle.sent("m0", _holds(log[1].position), kept(log[:1]))


@breaks(TrueAcknowledgements)
def a_member_acknowledges_another_entry() -> None:
    log = entries("x", term=2)
    oracle = TrueAcknowledgements(chains(log))
    oracle.sent("m0", _holds(Position(Term(1), Offset(0)), term=2), kept(log, term=2))


def _holds(match: Position, term: int = 1) -> AppendReply:
    return AppendReply(Term(term), 1, True, match, match)


@breaks(StateMachineSafety)
def two_apply_different_entries() -> None:
    oracle = StateMachineSafety(CommittedLog())
    oracle.applied("m0", entries("x")[0])
    oracle.applied("m1", entries("y")[0])


@breaks(StateMachineSafety)
def an_entry_is_left_out() -> None:
    StateMachineSafety(CommittedLog()).applied("m0", entries("x", "y")[1])


@breaks(EqualStates)
def two_states_at_one_offset() -> None:
    oracle = EqualStates()
    oracle.reached("m0", 7, b"one")
    oracle.reached("m1", 7, b"other")


@breaks(EqualSnapshots)
def two_snapshots_at_one_offset() -> None:
    oracle = EqualSnapshots()
    oracle.built("m0", _snapshot(b"one"))
    oracle.built("m1", _snapshot(b"other"))


def _snapshot(digest: bytes) -> SnapshotMeta:
    return SnapshotMeta(
        Position(Term(1), Offset(7)), b"chain", 0, Offset(0), Configuration(()), Offset(0),
        ClusterId("c"), Lineage(1, "l"), 1, 100, digest,
    )  # fmt: skip


@breaks(EqualFrames)
def a_page_holds_another_entry() -> None:
    log = CommittedLog()
    log.entries += entries("x", "y")
    oracle = EqualFrames(log)
    oracle.page("m0", 1, (log.entries[1],))
    oracle.page("m0", 0, tuple(entries("x", "z")))


@breaks(EqualFrames)
def a_page_is_empty_although_something_is_there() -> None:
    log = CommittedLog()
    log.entries += entries("x")
    EqualFrames(log).page("m0", 0, ())


@breaks(EqualFrames)
def a_page_has_a_gap() -> None:
    log = CommittedLog()
    log.entries += entries("x", "y", "z")
    EqualFrames(log).page("m0", 0, (log.entries[0], log.entries[2]))


@breaks(Retention)
def more_is_let_go_than_was_trimmed() -> None:
    was = view(entries("x", "y", "z"), commit=2)._replace(log_start=2)
    oracle = Retention()
    oracle.stepped("m0", was, was._replace(start=Position(Term(1), Offset(1))))
    oracle.stepped("m0", was, was._replace(start=Position(Term(1), Offset(2))))


@breaks(Retention)
def what_is_retained_is_said_to_be_trimmed() -> None:
    was = view(entries("x", "y", "z"), commit=2)._replace(log_start=2)
    oracle = Retention()
    oracle.stepped("m0", was, was)
    oracle.refused("m0", 1, 2)
    oracle.refused("m0", 2, 3)


@breaks(EqualLogs)
def two_logs_differ_where_nobody_looked() -> None:
    first, *rest = entries("x", "y")
    oracle = EqualLogs()
    oracle.shown("m0", [first, *rest], first=0, last=1)
    oracle.shown("m1", [], first=2, last=1)
    oracle.shown("m2", [first, *entries("z", behind=tail_of(first))], first=0, last=1)


@breaks(EqualLogs)
def a_log_lacks_its_last_entry() -> None:
    EqualLogs().shown("m0", entries("x"), first=0, last=1)


@breaks(EqualLogs)
def a_log_has_a_gap() -> None:
    one, _, three = entries("x", "y", "z")
    EqualLogs().shown("m0", [one, three], first=0, last=2)


def _raise_to(level: int) -> list[Entry]:
    change = with_level(VOTERS, level)
    return [build_entry(Payload((change,), (), 0), Term(1), SEED, 0)]


@breaks(SpokenLevels)
def a_level_is_raised_that_a_member_has_not_said() -> None:
    oracle = SpokenLevels()
    for member in (A, B, C):
        oracle.began(member, 2)
    oracle.hears(A, B, 2)
    oracle.hears(A, C, 2)
    oracle.appends(A, _raise_to(2))
    oracle.began(A, 2)
    oracle.hears(A, B, 2)
    oracle.appends(A, _raise_to(2))


@breaks(SpokenLevels)
def a_member_is_said_to_speak_what_it_never_did() -> None:
    oracle = SpokenLevels()
    oracle.began(A, 2)
    oracle.began(B, 1)
    oracle.hears(A, B, 2)


@breaks(ServedTrue)
def a_damaged_disk_serves_another_entry() -> None:
    log = entries("x", "y")
    oracle = ServedTrue("m0", {each.base: each for each in log})
    oracle.served("nothing", log)
    oracle.missing("a hole", log[:1], [(1, 1)], range(2))
    oracle.served("a flip", entries("z"))


@breaks(ServedTrue)
def a_damaged_disk_loses_an_entry_in_silence() -> None:
    log = entries("x", "y")
    oracle = ServedTrue("m0", {each.base: each for each in log})
    oracle.missing("a flip", log[:1], [], range(2))
