"""Feature levels: what all members must understand before one of them may write it into the log.

A build speaks every level up to its own. The level in force stands in the configuration, so it is
known wherever that is: in the log's summaries, in snapshots, at each start. One committed record
raises it, when every member speaks it; nothing lowers it.

Decides: the level of this build, and that nobody goes on above what it speaks.
Must not know: who raises it (raft/membership.py), how one hears what others speak (adapters/).
Read next: configuration.py, controls.py.
"""

from typing import Final

FIRST_LEVEL: Final = 1
"""In force from a log's founding on; every build speaks it."""

FEATURE_LEVEL: Final = 1
"""What this build speaks."""


class LevelNotSpoken(Exception):
    """The log is at a level that this build doesn't speak: it must stop, nothing is wrong with it.

    A build that speaks the level goes on where this one stopped.
    """

    def __init__(self, level: int, spoken: int, what: str) -> None:
        """what: whose level it is, as the beginning of the sentence."""
        super().__init__(
            f"{what} is at feature level {level} and this build speaks up to {spoken}:"
            " run a build that speaks it, the level is never lowered"
        )
        self.level = level


def check_spoken(level: int, spoken: int, what: str) -> None:
    """Raise LevelNotSpoken about `what` if its level is above what is spoken."""
    if level > spoken:
        raise LevelNotSpoken(level, spoken, what)
