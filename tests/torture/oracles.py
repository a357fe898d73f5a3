"""The simulation's own oracles, fed with the history of real clients.

Must not know: where a history comes from. Read next: ../simulation/checks.py.
"""

from collections.abc import Sequence
from typing import Any, cast

from replog_node.model.entries import Entry
from tests.simulation.checks import Checks
from tests.simulation.clients import History


def simulation_oracles(history: History, entries: Sequence[Entry]) -> None:
    """Judge it by this committed log; raises checks.Broken."""
    checks = Checks(cast("Any", None))
    checks.committed = list(entries)
    checks.history(history)
