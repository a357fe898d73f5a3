"""Known bugs of consensus: commit, votes, matching, membership, reads, log time.

Decides: the pieces of source, and what a plausible mistake would have written there. A piece that
has changed is to be followed here: put_in says which. Must not know: how a bug shows.
Read next: mutation.py, mutants_storage.py.
"""

from typing import Final

from tests.simulation.mutation import Edit, Mutant

COMMIT: Final = (
    Mutant(
        "an entry of an older term is committed by counting",
        "paper 5.4.2, figure 8; PySyncObj #169",
        (
            Edit(
                "raft/leader.py",
                "if reached <= s.commit.offset or s.log.term_at(reached) != s.term:",
                "if reached <= s.commit.offset:",
            ),
        ),
        shows="old-term commit",
        scenario="an_old_entry_reaches_a_majority_late",
    ),
    Mutant(
        "the commit goes back with a late message",
        "PySyncObj #166",
        (
            Edit(
                "raft/follower.py",
                "if reached > self._s.commit.offset:",
                "if reached != self._s.commit.offset and reached > self._s.log.start.offset:",
            ),
            Edit(
                "raft/state.py",
                "if position.offset <= self.commit.offset:",
                "if position.offset == self.commit.offset:",
            ),
        ),
        shows="commit going backward",
    ),
    Mutant(
        "a quorum is counted over what isn't sorted",
        "openraft #1802",
        (
            Edit(
                "raft/quorum.py",
                "ordered = sorted((held.get(voter, NOTHING) for voter in voters), reverse=True)",
                "ordered = [held.get(voter, NOTHING) for voter in voters]",
            ),
        ),
        shows="unsorted quorum",
    ),
    Mutant(
        "half of an even number of members commits",
        "hashicorp/raft 163a55f",
        (
            Edit(
                "raft/quorum.py", "return ordered[len(voters) // 2]",
                "return ordered[(len(voters) - 1) // 2]",
            ),
        ),
    ),
    Mutant(
        "entries are acknowledged before they are durable",
        "PySyncObj #84, KAFKA-10533, ZK-3911",
        (
            Edit(
                "raft/follower.py",
                "ticket = max(s.hard_ticket, s.log.ticket_for(match.offset) if ok else 0)",
                "ticket = s.hard_ticket",
            ),
        ),
        shows="ack before fsync",
        scenario="a_follower_dies_before_its_disk_has_it",
    ),
    Mutant(
        "the leader counts its own entries before they are durable",
        "etcd #14370, openraft a9f696a9",
        (
            Edit(
                "raft/leader.py",
                "held[s.member] = s.acknowledged(s.log.durable).offset",
                "held[s.member] = s.log.last.offset",
            ),
        ),
        shows="ack before fsync",
        scenario="a_leader_dies_before_its_own_disk_has_it",
    ),
    Mutant(
        "a write counts although it was overwritten while under way",
        "etcd-raft async_storage_writes_append_aba_race.txt",
        (
            Edit(
                "raft/log.py",
                "self._writing = deque((t, min(end, to, key=_offset)) for t, end in self._writing)",
                "self._writing = deque(self._writing)",
            ),
        ),
    ),
    Mutant(
        "a follower looks at the offset of prev, not at its term",
        "paper 5.3, figure 2 AppendEntries 2",
        (
            Edit(
                "raft/follower.py", "if not s.log.has(prev):",
                "if prev.offset > s.log.last.offset:",
            ),
        ),
        scenario="an_old_entry_reaches_a_majority_late",
    ),
    Mutant(
        "a follower commits what it holds, agreed or not",
        "paper figure 2, AppendEntries 5",
        (
            Edit(
                "raft/follower.py", "min(leader_commit, match.offset)",
                "min(leader_commit, self._s.log.last.offset)",
            ),
        ),
        scenario="an_old_leader_returns",
    ),
    Mutant(
        "a late message cuts off what follows it",
        "raftos #26",
        (
            Edit(
                "raft/follower.py",
                "missing = tuple(s.log.missing(entries))",
                "missing = entries",
            ),
        ),
    ),
    Mutant(
        "a heartbeat tells of commits that the follower may not hold",
        "etcd-raft: a heartbeat's commit is min(match, commit)",
        (
            Edit(
                "raft/replication.py",
                "commit = Offset(min(self._s.commit.offset, progress.match.offset))",
                "commit = self._s.commit.offset",
            ),
        ),
    ),
)  # fmt: skip

VOTES: Final = (
    Mutant(
        "a vote leaves before it is durable",
        "paper figure 2; PySyncObj #84",
        (
            Edit(
                "raft/elections.py",
                "reply = VoteReply(term, granted, request.pre, request.attempt)\n"
                "        s.send(envelope.sender, reply, after_ticket=s.hard_ticket,",
                "reply = VoteReply(term, granted, request.pre, request.attempt)\n"
                "        s.send(envelope.sender, reply, after_ticket=0,",
            ),
        ),
        shows="ack before fsync",
        scenario="a_voter_dies_between_two_candidates",
    ),
    Mutant(
        "two candidates get a vote in one term",
        "paper 5.2",
        (
            Edit(
                "raft/elections.py",
                "and s.leader is None and s.hard.voted_for in (None, candidate)",
                "and s.leader is None",
            ),
        ),
    ),
    Mutant(
        "voters compare how long logs are, not their last terms",
        "paper 5.4.1",
        (
            Edit(
                "raft/elections.py",
                "s.unproven or request.last < s.log.last:",
                "s.unproven or request.last.offset < s.log.last.offset:",
            ),
        ),
    ),
    Mutant(
        "voters don't look at the candidate's log",
        "paper 5.4.1",
        (
            Edit(
                "raft/elections.py",
                "if not s.may_vote or s.unproven or request.last < s.log.last:",
                "if not s.may_vote or s.unproven:",
            ),
        ),
    ),
    Mutant(
        "a majority less one elects, and confirms reads",
        "openraft d60f1e85",
        (
            Edit(
                "raft/quorum.py", "needed = len(voters) // 2 + 1",
                "needed = max(1, len(voters) // 2)",
            ),
        ),
    ),
    Mutant(
        "votes of others than voters count",
        "NATS #8353",
        (
            Edit(
                "raft/quorum.py",
                "granted = sum(1 for voter in voters if votes.get(voter) is True)",
                "granted = sum(1 for voter in votes if votes[voter] is True)",
            ),
        ),
    ),
)  # fmt: skip

MEMBERSHIP: Final = (
    Mutant(
        "a joint change asks only the new half to commit",
        "thesis 4.3",
        (
            Edit(
                "raft/quorum.py",
                "return min(new, majority_reached(self.outgoing, held))",
                "return new",
            ),
        ),
        scenario="the_old_half_does_not_know_that_it_is_replaced",
    ),
    Mutant(
        "a joint change asks only the new half to elect",
        "thesis 4.3",
        (
            Edit(
                "raft/quorum.py",
                "halves = (new, majority_verdict(self.outgoing, votes))",
                "halves = (new,)",
            ),
        ),
        scenario="both_halves_elect",
    ),
    Mutant(
        "a membership's next step is taken before the last is committed",
        "thesis 4.3; etcd-raft bd3c759",
        (
            Edit(
                "raft/leader.py",
                "or s.log.configuration_offset > s.commit.offset\n"
                "            or s.commit.offset < s.ready_at",
                "or s.commit.offset < s.ready_at",
            ),
        ),
    ),
    Mutant(
        "a configuration that was cut off stays in force",
        "NATS #8337; paper, section 6",
        (
            Edit(
                "raft/log.py",
                "        while self._configurations and self._configurations[-1][0] > to.offset:\n"
                "            self._configurations.pop()\n",
                "",
            ),
        ),
    ),
    Mutant(
        "a member parks before its leave is committed",
        "design 3, Membership",
        (
            Edit(
                "raft/state.py",
                "if self.removed or offset > self.commit.offset:",
                "if self.removed:",
            ),
        ),
        shows="parking",
    ),
)  # fmt: skip

READS: Final = (
    Mutant(
        "a read is confirmed without a quorum",
        "thesis 6.4",
        (Edit("raft/reads.py", "return self._s.electorate.agreed(answered)", "return True"),),
        scenario="a_deposed_leader_is_asked_for_a_read",
    ),
    Mutant(
        "a read is confirmed by a round that began before it",
        "etcd-raft #397",
        (
            Edit(
                "raft/reads.py", "(self._replication.heartbeat(), index, askers)",
                "(self._replication.round, index, askers)",
            ),
        ),
        shows="stale ReadIndex context",
        scenario="a_deposed_leader_is_asked_for_a_read",
    ),
    Mutant(
        "a new leader confirms reads before it knows what is committed",
        "thesis 6.4, step 1",
        (
            Edit(
                "raft/reads.py", "elif self._s.commit.offset < self._s.ready_at:",
                "elif self._s.commit.offset < 0:",
            ),
        ),
    ),
)  # fmt: skip

TIME: Final = (
    Mutant(
        "log time goes back with the leader's clock",
        "design 3, Log time",
        (Edit("raft/logtime.py", "if now_ms < previous_ms:", "if now_ms < 0:"),),
        shows="log time",
    ),
)

HOLES: Final = (
    Mutant(
        "a member acknowledges what lies behind its first hole",
        "design 3, Storage; ZK-4925",
        (
            Edit(
                "raft/state.py", "if hole is None or held.offset < hole:",
                "if hole is None or held.offset != -1:",
            ),
        ),
        shows="hole",
    ),
    Mutant(
        "a member with a hole leads",
        "design 3, Storage; ZK-4925",
        (
            Edit(
                "raft/state.py",
                "return self.disk.first_hole is None and not self.unproven",
                "return not self.unproven",
            ),
        ),
        shows="hole",
    ),
    Mutant(
        "a member that has lost the end of its log votes",
        "protocol-aware recovery (FAST 2018); NATS #8290",
        (
            Edit(
                "raft/elections.py",
                "if not s.may_vote or s.unproven or request.last < s.log.last:",
                "if not s.may_vote or request.last < s.log.last:",
            ),
        ),
        shows="hole",
    ),
)  # fmt: skip

RAFT: Final = (*COMMIT, *VOTES, *MEMBERSHIP, *READS, *TIME, *HOLES)
