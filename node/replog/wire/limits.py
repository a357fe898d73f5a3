"""Bounds that client and node share.

Decides: how large what they exchange may be. Must not know: settings of a node, which may be lower.
Read next: batches.py.
"""

from typing import Final

BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""One batch, as it travels; a larger one is refused with `batch_invalid`."""

BATCH_INNER_BYTES_MAX: Final = 32 * 1024 * 1024
"""The records of one batch, decompressed; more are refused before they are held in memory."""

BATCH_RECORDS_MAX: Final = 1_000_000
"""Records of one batch; more are refused with `batch_invalid`."""

TIMESTAMP_MAX_MS: Final = 2**62
"""The greatest timestamp of a record; it leaves room for the differences that a batch stores."""

SEQUENCES: Final = 2**31
"""A producer's sequences run from 0 and wrap here (Kafka's int32)."""

EXPIRES_AFTER_LEAST_MS: Final = 60_000
NAME_MAX = 256
"""Characters of what a caller names: keys of sessions, operations, members, addresses."""

MEMBERS_MAX = 64
"""Members that a target may list; a target of more than 9 is refused by its own code."""

EXPIRES_AFTER_MOST_MS: Final = 24 * 3600 * 1000
"""Of log time without an append; then a producer session is forgotten. The most is the default."""

UNUSED_MS: Final = 10 * 60 * 1000
"""A session that nothing was appended to is forgotten after this, or earlier as it was asked to."""

IN_FLIGHT_MAX: Final = 5
"""Batches of one producer session that may be unanswered; the node remembers as many."""
