"""What must be true after every step (paper, figure 3, as far as one member can see it).

Decides: what is looked at: a few comparisons a step, so they stay on in production.
Must not know: how the step came to it.
Read next: core.py; the simulator checks what needs all members (tests/simulation/checks.py).
"""

from replog_node.model.positions import MemberId
from replog_node.raft.state import LEADER, CoreState
from replog_node.raft.violation import InvariantViolation


class Watch:
    """Remembers what may only grow."""

    def __init__(self, state: CoreState) -> None:
        self._s = state
        self._term = state.term
        self._commit = state.commit.offset

    def look(self) -> None:
        """Raise InvariantViolation if something is wrong."""
        s = self._s
        if s.term < self._term or s.commit.offset < self._commit:
            raise InvariantViolation(
                f"term {self._term} → {s.term}, commit {self._commit} → {s.commit.offset}"
            )
        if s.commit.offset > s.log.last.offset or s.log.durable.offset > s.log.last.offset:
            raise InvariantViolation(
                f"commit {s.commit}, durable {s.log.durable}, but the log ends at {s.log.last}"
            )
        if s.log.last.term > s.term or (s.role == LEADER) != (s.leader == s.member):
            raise InvariantViolation(
                f"{s.role} of term {s.term} with leader {s.leader}; the log ends at {s.log.last}"
            )
        self._term, self._commit = s.term, s.commit.offset

    def another_leads(self, other: MemberId) -> None:
        """Election safety: nobody else speaks as the leader of a term that has one."""
        s = self._s
        if s.role == LEADER or (s.leader is not None and s.leader != other):
            raise InvariantViolation(f"{other} and {s.leader} both lead term {s.term}")
