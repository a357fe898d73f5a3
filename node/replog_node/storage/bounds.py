"""What a core is told of the log at its start, from what the storage knows without reading it.

Decides: which term starts and configurations that is, and the feature level that one must speak.
Must not know: what the core does with it.
Read next: log.py, summary.py.
"""

from replog_node.model.entries import Tail
from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import ORIGIN
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.events import LogBounds
from replog_node.storage.log import Log

EMPTY = Tail(ORIGIN, b"", 0)
"""The tail of a member that has no log yet: nothing can follow it."""


def bounds_of(log: Log | None, newest: SnapshotMeta | None, base: SnapshotMeta | None) -> LogBounds:
    """Return what the core must know of the log, gathered from the segments' summaries.

    The configuration in force where the log begins is in no segment, but in the snapshot.
    """
    if log is None:
        return LogBounds(EMPTY)
    summaries = [segment.summary for segment in (*log.view.sealed, log.view.active)]
    starts = {term: at for s in reversed(summaries) for term, at in reversed(s.term_starts)}
    holes = log.holes
    found = tuple(each for summary in summaries for each in summary.configurations)
    if newest is not None and newest.configuration_offset <= log.start.position.offset:
        found = ((newest.configuration_offset, newest.configuration), *found)
    return LogBounds(
        tail=log.tail,
        term_starts=tuple(sorted(starts.items())),
        configurations=found,
        start=log.start.position,
        committed=ORIGIN if newest is None else newest.position,
        base=base,
        first_hole=holes[0].start if holes else None,
        unproven=log.unproven,
    )


def level_of(log: LogBounds, snapshot: SnapshotMeta | None) -> int:
    """Return the highest feature level that the log, committed or not, or the snapshot is at.

    What a hole hides isn't known; whoever applies it finds out.
    """
    known = [configuration.feature_level for _, configuration in log.configurations]
    return max(FIRST_LEVEL if snapshot is None else snapshot.feature_level, FIRST_LEVEL, *known)
