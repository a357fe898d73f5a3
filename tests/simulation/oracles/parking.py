"""A member parks as removed only when the record by which it leaves is committed.

One that isn't can be cut off again, and then a voter is gone for good (design section 3,
Membership).

Decides: that. Must not know: who removed it.
Read next: commits.py.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from replog_node.model.positions import MemberId
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.oracle import Oracle

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.configuration import Configuration


def committed_configurations(driver: Driver, log: CommittedLog) -> list[Configuration]:
    """What a member knows to be committed: as applied, and what is to be applied next.

    That is taken from what was applied anywhere: after a restart its own may be on disk only.
    """
    applied, commit = driver.applied, driver.kernel.committed.offset
    found = [applied.configuration]
    core = driver.kernel.core
    if core is not None and (status := core.status()).configuration_offset <= commit:
        found.append(status.configuration)
    behind = bisect_right(log.entries, applied.offset, key=lambda entry: entry.last)
    found += [entry.configuration for entry in log.entries[behind:] if entry.last <= commit]
    return [configuration for configuration in found if configuration is not None]


class Parking(Oracle):
    """Is told when a member parks."""

    name = "parking"

    def parks(self, node: str, member: MemberId, committed: list[Configuration]) -> None:
        """A member parks; committed: configurations of which it knows that they are."""
        if not any(member in configuration.removed for configuration in committed):
            raise self.broken(f"{node} parks, and nothing that is committed has removed it")
