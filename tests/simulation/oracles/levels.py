"""A feature level is raised only once every member of the configuration has said that it speaks it.

Raised earlier, the log holds what some member's build can't read: it stops, and so may a majority.

Decides: that, of a member's own words, as its leader heard them. Must not know: who asks for it.
Read next: ../greeting.py, ../../../node/replog_node/raft/membership.py (judge_level).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replog_node.frames.decode import configurations
from tests.simulation.oracles.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replog_node.model.entries import Entry
    from replog_node.model.positions import MemberId

RAISED = "feature-level"


class SpokenLevels(Oracle):
    """Knows what each member's builds spoke, and what each process has heard of others."""

    name = "levels are spoken"

    def __init__(self) -> None:
        self._spoke: dict[MemberId, int] = {}
        self._heard: dict[MemberId, dict[MemberId, int]] = {}

    def began(self, member: MemberId, level: int) -> None:
        """A process runs of a build that speaks this level; it has heard nobody yet."""
        self._spoke[member] = max(level, self._spoke.get(member, 0))
        self._heard[member] = {member: level}

    def hears(self, member: MemberId, of: MemberId, level: int) -> None:
        """A member was told what another one speaks."""
        if level > self._spoke.get(of, 0):
            raise self.broken(f"{member} hears that {of} speaks {level}, which it never did")
        self._heard[member][of] = level

    def appends(self, member: MemberId, entries: Sequence[Entry]) -> None:
        """A leader appends these of its own term."""
        changes = [c for entry in entries if entry.configuration for _, c in configurations(entry)]
        for configuration in (c.configuration for c in changes if c.change == RAISED):
            level, heard = configuration.feature_level, self._heard[member]
            silent = [m.id for m in configuration.members if heard.get(m.id, 0) < level]
            if silent:
                raise self.broken(f"{member} raises the level to {level}, {silent} said no such")
