"""Committed is on a quorum's disks, and immutable (paper 5.3, 5.4.2, 6).

At the very moment in which a leader commits, the entry and all before it lie durably on a majority
of the voters of the configuration that was in force, of both halves while joint; the entry is of
the leader's own term, and continues what was committed before. Nobody else ever commits anything
that no leader has committed.

Decides: that. Must not know: how a leader counts.
Read next: commits.py, durable.py.
"""

from replog_node.model.configuration import Configuration
from replog_node.model.positions import MemberId
from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.durable import Durable
from tests.simulation.oracles.oracle import Oracle
from tests.simulation.oracles.views import View


class CommittedOnQuorum(Oracle):
    """Looks at each commit; those of leaders fill the commits."""

    name = "committed on a quorum"

    def __init__(self, chains: Chains, commits: Commits, durable: Durable) -> None:
        self._chains = chains
        self._commits = commits
        self._durable = durable

    def stepped(self, node: str, was: View, now: View) -> None:
        """A member had a turn."""
        if now.commit.offset <= was.commit.offset:
            return
        offset = now.commit.offset
        chain = self._chains.end_at(now.tail.chain, offset)
        if chain is None and now.start.offset < offset:
            raise self.broken(f"{node} commits {now.commit}, which it doesn't hold")
        # A leader that slept may be told by the next one: that commit isn't its own.
        leading = now.leads or (was.leads and now.term == was.term)
        if chain is not None and leading:
            self._leads(node, was, now, chain)
        elif offset > self._commits.end:
            raise self.broken(f"{node} commits {now.commit}, leaders only {self._commits.end}")
        elif chain is not None and chain != self._commits.at(offset):
            raise self.broken(f"{node} commits another history up to {now.commit}")

    def _leads(self, node: str, was: View, now: View, chain: bytes) -> None:
        term = was.term if was.leads else now.term
        if now.commit.term != term:
            raise self.broken(f"{node} leads term {term} and commits {now.commit}, an older term's")
        self._held(node, was.configuration, now, chain)
        offset = now.commit.offset
        if offset > self._commits.end:
            if not self._commits.extend(chain, term):
                raise self.broken(f"{node} commits {now.commit} without what was committed before")
        elif chain != self._commits.at(offset):
            raise self.broken(f"{node} commits another history up to {now.commit}")

    def _held(
        self, node: str, configuration: Configuration | None, now: View, chain: bytes
    ) -> None:
        if configuration is None:
            raise self.broken(f"{node} commits {now.commit} without a configuration")
        for half in (configuration.voter_ids(), configuration.outgoing_ids()):
            holding = [member for member in half if self._holds(member, chain, now.commit.offset)]
            if half and 2 * len(holding) <= len(half):
                raise self.broken(
                    f"{node} commits {now.commit}, which of {half} only {holding} hold durably"
                )

    def _holds(self, member: MemberId, chain: bytes, offset: int) -> bool:
        kept = self._durable.of(member)
        if kept is None:
            return False
        if kept.start.position.offset >= offset:
            return True  # in a snapshot
        return self._chains.holds(kept.tail.chain, chain) and not self._durable.could_lose(
            member, chain
        )
