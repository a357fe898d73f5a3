"""What the threads of the disk are asked for, as values in their queues.

Decides: nothing. Must not know: how any of it is done, or when.
Read next: io_thread.py.
"""

from collections.abc import Callable
from typing import NamedTuple

from replog_node.model.positions import ClusterId, Lineage, Offset
from replog_node.raft.effects import InstallSnapshot, Persist


class Assign(NamedTuple):
    """The member belongs to this log from now on."""

    cluster_id: ClusterId
    lineage: Lineage
    founding: str


class Park(NamedTuple):
    """The member was removed."""


class Release(NamedTuple):
    """What lies below may go."""

    log_start: Offset


class Adopt(NamedTuple):
    """This file is a snapshot from now on."""

    name: str


class Drop(NamedTuple):
    """The snapshot in this file is damaged."""

    name: str


class Read(NamedTuple):
    """For a reader's thread; the others are the writer's."""

    request: int
    at: Offset
    max_bytes: int


class Mend(NamedTuple):
    """A change of what is known to be damaged: a hole filled, or found."""

    work: Callable[[], None]


class Work(NamedTuple):
    """Somebody else's, in its place among the writes."""

    work: Callable[[], None]


class Stop(NamedTuple):
    """The last thing in a queue."""


Write = Persist | InstallSnapshot | Assign | Park | Release | Adopt | Drop | Mend | Work | Stop
"""What the writer does, one after the other."""
