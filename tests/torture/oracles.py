"""The simulation's own oracles, fed with the history of real clients.

Must not know: where a history comes from. Read next: ../simulation/oracles/__init__.py.
"""

from collections.abc import Sequence

from replog_node.model.entries import Entry
from tests.simulation.clients.history import History
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.exactly_once import ExactlyOnce
from tests.simulation.oracles.linearizable import Linearizable
from tests.simulation.oracles.oracle import Broken
from tests.simulation.oracles.outcomes import DefiniteAnswers


def simulation_oracles(history: History, entries: Sequence[Entry]) -> list[str]:
    """Judge it by this committed log; what each oracle finds broken."""
    log = CommittedLog()
    log.entries += entries
    values, found = log.values(), []
    for oracle in (ExactlyOnce(), DefiniteAnswers(), Linearizable()):
        try:
            oracle.check(history, values)
        except Broken as broken:
            found.append(f"an oracle of the simulation: {broken}")
    return found
