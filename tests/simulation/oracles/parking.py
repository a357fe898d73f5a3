"""A member parks as removed only when the record by which it leaves is committed.

One that isn't can be cut off again, and then a voter is gone for good (design section 3,
Membership).

Decides: that. Must not know: who removed it.
Read next: commits.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replog_node.model.positions import MemberId, Offset
from tests.simulation.oracles.oracle import Oracle

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.configuration import Configuration


def committed_configurations(driver: Driver) -> list[Configuration]:
    """What a member knows to be committed: as applied, and what is to be applied next."""
    applied, core = driver.applied, driver.kernel.core
    found = [applied.configuration]
    if core is not None:
        commit = driver.kernel.committed.offset
        status = core.status()
        if status.configuration_offset <= commit:
            found.append(status.configuration)
        for entry in core.recent(Offset(applied.offset + 1)) or ():
            if entry.last <= commit:
                found.append(entry.configuration)
    return [configuration for configuration in found if configuration is not None]


class Parking(Oracle):
    """Is told when a member parks."""

    name = "parking"

    def parks(self, node: str, member: MemberId, committed: list[Configuration]) -> None:
        """A member parks; committed: configurations of which it knows that they are."""
        if not any(member in configuration.removed for configuration in committed):
            raise self.broken(f"{node} parks, and nothing that is committed has removed it")
