"""What members said in one pass, as a value.

Decides: that form. Must not know: how they were asked (gather.py), what it means (observe.py).
Read next: gather.py.
"""

from collections.abc import Mapping
from typing import NamedTuple

from replog.wire.schemas import ClusterStatus, MayStop


class Said(NamedTuple):
    """answers, ready: by ordinal; a silent member is missing. leader: its ordinal.

    stops: the leader's word on each member, by id; empty if it was not asked. blockers: what the
    leader waits for, worst first: its evidence by its code.
    """

    answers: Mapping[int, ClusterStatus] = {}
    ready: frozenset[int] = frozenset()
    leader: int | None = None
    stops: Mapping[str, MayStop] = {}
    blockers: Mapping[str, str] = {}
