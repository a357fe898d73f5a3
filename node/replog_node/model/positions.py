"""Where something is in the log, and whose it is.

Decides: the types of terms, offsets, members and lineages, so that they can't be mixed up.
Must not know: messages, files, roles.
Read next: entries.py.
"""

from typing import NamedTuple, NewType

import msgspec

Term = NewType("Term", int)
"""A Raft term (paper, section 5.1); 0 before the first election; fits a Kafka leader epoch."""

Offset = NewType("Offset", int)
"""The position of one record, from 0; inclusive wherever it stands alone. -1: before all."""

MemberId = NewType("MemberId", str)
"""A member's UUID (lower-case, with dashes), made in its empty data directory; never an address."""

ClusterId = NewType("ClusterId", str)
"""The cluster's UUID, chosen by whoever bootstraps; the seed of the chain of frames."""

TERM_MAX = 2**31 - 1
"""Terms are written as Kafka's int32 leader epoch, so they end there."""


class Position(NamedTuple):
    """The end of an entry: its term and the offset of its last record (inclusive).

    Positions order as the Raft paper compares logs (section 5.4.1): by term, then by offset.
    """

    term: Term
    offset: Offset


ORIGIN = Position(Term(0), Offset(-1))
"""The position of an empty log."""


class Lineage(msgspec.Struct, frozen=True, order=True):
    """Which life of the log this is: raised by restore, clone and forced recovery.

    number: grows with each new life; identity: random, tells two lives of one number apart.
    """

    number: int
    identity: str

    def __str__(self) -> str:
        return f"{self.number}.{self.identity}"
