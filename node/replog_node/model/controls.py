"""The control records: what the cluster writes into its own log.

Decides: which kinds exist, their (type, version) keys and their fields.
A control record takes an offset like any other; readers skip it. An unknown kind stops applying
(CONTROL_LEVELS prevents that), so a kind's meaning never changes: it gets a new version instead.
Must not know: how records lie in a batch (frames/controls.py).
Read next: entries.py.
"""

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import ClusterId, Lineage, MemberId


class LogCreated(msgspec.Struct, frozen=True):
    """The first record of a log: who it is. Type 1."""

    cluster_id: ClusterId
    lineage: Lineage


class TermStarted(msgspec.Struct, frozen=True):
    """The no-op with which a leader begins its term (paper, section 8). Type 2."""

    leader: MemberId


class ConfigurationChanged(msgspec.Struct, frozen=True):
    """A new configuration; takes effect on append. Type 3.

    change: "found" | "target" | "learners" | "enter-joint" | "leave-joint" | "feature-level" (only
    that is raised); operation: whose, "" for the last.
    """

    change: str
    operation: str
    configuration: Configuration


class ClockAdvanced(msgspec.Struct, frozen=True):
    """Nothing but time: written when something is due and nothing else is. Type 4."""


class ProducerAllocated(msgspec.Struct, frozen=True):
    """A producer session begins: only this record makes one. Type 5.

    expires_after_ms: of log time without an append, after which the session is forgotten.
    request: the caller's key, so that a repeated allocation gets the same id while it is known.
    """

    producer_id: int
    epoch: int
    expires_after_ms: int
    request: str = ""


class ProducerFenced(msgspec.Struct, frozen=True):
    """The epoch of a producer was raised: nothing of an older epoch follows. Type 6."""

    producer_id: int
    epoch: int


class SnapshotPoint(msgspec.Struct, frozen=True):
    """All members build a snapshot at the end of the entry that holds this. Type 7.

    So that all have it at the same place, and equal bytes can be told from different ones.
    cause: "size" | "call".
    """

    cause: str


class LogTrimmed(msgspec.Struct, frozen=True):
    """Records below log_start are given up; the log start never falls. Type 8.

    cause: "call" | "bytes" | "age".
    """

    log_start: int
    cause: str


Control = (
    LogCreated
    | TermStarted
    | ConfigurationChanged
    | ClockAdvanced
    | ProducerAllocated
    | ProducerFenced
    | SnapshotPoint
    | LogTrimmed
)

CONTROL_TYPES: dict[type, tuple[int, int]] = {
    LogCreated: (1, 0),
    TermStarted: (2, 0),
    ConfigurationChanged: (3, 0),
    ClockAdvanced: (4, 0),
    ProducerAllocated: (5, 0),
    ProducerFenced: (6, 0),
    SnapshotPoint: (7, 0),
    LogTrimmed: (8, 0),
}
"""Kind -> (type, version): the key of its record."""

CONTROL_LEVELS: dict[type, int] = dict.fromkeys(CONTROL_TYPES, FIRST_LEVEL)
"""Kind -> the feature level that must be in force before one is appended: a build that speaks only
lower ones doesn't know it. A new kind, or a new version of one, names the level that brings it."""
