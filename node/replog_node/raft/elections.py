"""Elections: who may lead next (paper 5.2, 5.4.1; thesis 4.2.3 stickiness, 9.6 pre-vote).

Decides: when to campaign, whom to vote for, when an election is won or lost.
Must not know: replication. Read next: leader.py.
"""

from hashlib import blake2b

from replog_node.model.positions import TERM_MAX, MemberId, Term
from replog_node.raft.messages import Envelope, RequestVote, VoteReply
from replog_node.raft.quorum import Verdict
from replog_node.raft.state import CANDIDATE, FOLLOWER, LEADER, PRE_CANDIDATE, CoreState


class Elections:
    """The election timer, this member's campaigns, and its votes for others."""

    def __init__(self, state: CoreState) -> None:
        self._s = state
        self._attempt = 0
        self._votes: dict[MemberId, bool] = {}
        self._own_vote_ticket = 0
        self._transfer = False
        self._timer_from = 0
        self._timeout = self._draw()
        self._lost = False

    def _draw(self) -> int:
        """A timeout between once and twice election_ticks, drawn without randomness."""
        if self._s.electorate.is_only(self._s.member) and self._attempt == 0:
            return 1  # nobody else to wait for
        text = f"{self._s.member} {self._s.term} {self._attempt}".encode()
        number = int.from_bytes(blake2b(text, digest_size=8).digest())
        return self._s.limits.election_ticks + number % self._s.limits.election_ticks

    def restart_timer(self) -> None:
        """Wait a whole timeout from now on."""
        self._timer_from = self._s.tick
        self._timeout = self._draw()
        self._lost = False

    def heard(self) -> None:
        """The leader lives."""
        self._s.heard_tick = self._s.tick
        self._timer_from = self._s.tick
        if self._lost:
            self._lost, self._timeout = False, self._draw()

    def lost(self) -> None:
        """The connection to the leader broke: its process may have ended, so doubt it sooner.

        It is given a heartbeat's time to come back, and up to half an election timeout more, drawn
        as the timeout is. Whoever still hears it goes on sticking to it (thesis 4.2.3), so a broken
        connection of one member deposes nobody.
        """
        s = self._s
        limits = s.limits
        if self._lost or s.role != FOLLOWER or s.leader is None:
            return
        self._lost = True
        wait = limits.heartbeat_ticks + self._timeout % max(1, limits.election_ticks // 2)
        self._timeout = min(self._timeout, s.tick - self._timer_from + wait)
        s.heard_tick = min(s.heard_tick, s.tick + limits.heartbeat_ticks - limits.election_ticks)

    def tick(self) -> None:
        """Campaign when the time has come."""
        s = self._s
        if s.role == LEADER or s.tick - self._timer_from < self._timeout:
            return
        if not self.able:
            self.follow(s.term, None)  # it waits for others to elect one, but this one is silent
        elif s.electorate.is_only(s.member):
            self.campaign(transfer=False)
        else:
            self._pre_campaign()

    @property
    def able(self) -> bool:
        """Whether this member may campaign: a voter that can read all of its log. With the last
        term, the log goes on only with the leader that it has: there is none left for another."""
        return self._s.votes and self._s.readable and self._s.term < TERM_MAX

    def _pre_campaign(self) -> None:
        """Ask whether a vote would be given; changes no term (thesis 9.6)."""
        s = self._s
        self._attempt += 1
        s.role, s.leader = PRE_CANDIDATE, None
        self._votes = {s.member: True}
        self.restart_timer()
        s.announce()
        self._ask(Term(s.term + 1), pre=True, transfer=False, after_ticket=0)

    def campaign(self, *, transfer: bool) -> None:
        """Begin the next term as its candidate (paper 5.2). The own vote counts once durable."""
        s = self._s
        self._attempt += 1
        s.set_hard(Term(s.term + 1), s.member)
        s.role, s.leader = CANDIDATE, None
        self._votes = {}
        self._own_vote_ticket = s.hard_ticket
        self._transfer = transfer
        self.restart_timer()
        s.announce()
        self._ask(s.term, pre=False, transfer=transfer, after_ticket=s.hard_ticket)

    def _ask(self, term: Term, *, pre: bool, transfer: bool, after_ticket: int) -> None:
        s = self._s
        request = RequestVote(term, s.log.last, pre, transfer, self._attempt)
        for member in s.electorate.everyone:
            if member != s.member:
                s.send(member, request, after_ticket=after_ticket)

    def persisted(self) -> bool:
        """More is durable: the own vote may count now. Whether the election is won."""
        s = self._s
        if s.role != CANDIDATE or s.member in self._votes:
            return False
        if self._own_vote_ticket > s.persisted_ticket:
            return False
        self._votes[s.member] = True
        return self._tally() is Verdict.WON

    def _tally(self) -> Verdict:
        return self._s.electorate.verdict(self._votes)

    def follow(self, term: Term, leader: MemberId | None) -> None:
        """Become a follower in this term (or stay one); a new term forgets the vote."""
        s = self._s
        changed = (s.role, s.leader, s.term) != (FOLLOWER, leader, term)
        if term > s.term:
            s.set_hard(term, None)
        s.role, s.leader = FOLLOWER, leader
        if leader is not None:
            self.heard()
        if changed:
            self.restart_timer()
            s.announce()

    def request_received(self, envelope: Envelope, request: RequestVote) -> None:
        """Another member asks for a vote. Its term, if it is newer, was taken before."""
        s = self._s
        granted = self._grants(envelope.sender, request)
        if granted and not request.pre:
            s.set_hard(s.term, envelope.sender)
            s.heard_tick = s.tick
            self.restart_timer()
        term = request.term if granted and request.pre else s.term
        reply = VoteReply(term, granted, request.pre, request.attempt)
        s.send(envelope.sender, reply, after_ticket=s.hard_ticket, answering=envelope.incarnation)

    def _grants(self, candidate: MemberId, request: RequestVote) -> bool:
        """Up to date, and free to vote (paper 5.4.1: compare last terms, then last offsets)."""
        s = self._s
        if not s.may_vote or s.unproven or request.last < s.log.last:
            return False
        if request.pre:
            return request.term > s.term
        return request.term == s.term and s.leader is None and s.hard.voted_for in (None, candidate)

    def sticks(self, sender: MemberId, request: RequestVote) -> bool:
        """Whether to ignore the request because a leader lives (thesis 4.2.3).

        Not when that leader itself asks: it knows best that it leads no more (hashicorp/raft #605).
        """
        s = self._s
        if request.transfer or sender == s.leader:
            return False
        if s.role == LEADER:
            return True
        return s.leader is not None and s.tick - s.heard_tick < s.limits.election_ticks

    def reply_received(self, sender: MemberId, reply: VoteReply) -> bool:
        """A vote was given or refused; whether the election is won by it."""
        s = self._s
        role = PRE_CANDIDATE if reply.pre else CANDIDATE
        if s.role != role or reply.attempt != self._attempt:
            return False
        if not reply.pre and reply.term != s.term:
            return False
        self._votes[sender] = reply.granted
        match self._tally():
            case Verdict.WON if reply.pre:
                self.campaign(transfer=False)
            case Verdict.WON:
                return True
            case Verdict.LOST:
                self.follow(s.term, None)
            case Verdict.OPEN:
                pass
        return False
