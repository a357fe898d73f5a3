"""Which violation is for which oracle.

Decides: nothing. Must not know: how a violation is made.
Read next: facts.py, answers.py, worlds.py, ../test_oracles.py.
"""

from collections.abc import Callable
from typing import Final

from tests.simulation.oracles.oracle import Oracle

Violation = Callable[[], object]
"""Must end with Broken, raised by its oracle."""

VIOLATIONS: Final[list[tuple[type[Oracle], Violation]]] = []


def breaks(oracle: type[Oracle]) -> Callable[[Violation], Violation]:
    """This violation must be seen by that oracle."""

    def register(violation: Violation) -> Violation:
        VIOLATIONS.append((oracle, violation))
        return violation

    return register
