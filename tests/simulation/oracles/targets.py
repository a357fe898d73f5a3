"""An operator hears that a target was set once the log has it for good, and not before.

Told earlier it may be false: whoever empties a directory because of it may empty a voter's.

Decides: that. Must not know: how a target is reached.
Read next: committed.py, ../operations.py.
"""

from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.oracle import Oracle


class TrueTargets(Oracle):
    """Looks for the operation in what is committed."""

    name = "targets are committed"

    def __init__(self, log: CommittedLog) -> None:
        self._log = log

    def answered(self, operation: str) -> None:
        """Somebody was told that this target is set, or was before."""
        for entry in reversed(self._log.entries):
            found = entry.configuration
            if found is None:
                continue
            asked = found.target is not None and found.target.operation == operation
            if asked or operation in found.done:
                return
        raise self.broken(f"{operation} was told to be set, and no committed entry has it")
