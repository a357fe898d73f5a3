"""Faults: what can go wrong, one small function each, in a registry by kind.

Decides: nothing. Must not know: which come when (../plan.py draws that).
Read next: registry.py, then network.py, processes.py, disks.py, operations.py, moments.py.
"""

from typing import Final

from tests.simulation.faults import disks, moments, network, operations, processes
from tests.simulation.faults.registry import Blow, Faults, Strike, kinds, strike

FAMILIES: Final = (network, processes, disks, operations, moments)
"""Where faults register themselves."""

KINDS: Final = tuple(kind for kind in kinds() if kind not in moments.FOCUSED)
"""All kinds that the swarm draws from, in the order of their definition."""

BUILDS: Final = ("rollout", "downgrade", "downgrade")
"""Upgrades with mixed versions."""

__all__ = ["BUILDS", "FAMILIES", "KINDS", "Blow", "Faults", "Strike", "strike"]
