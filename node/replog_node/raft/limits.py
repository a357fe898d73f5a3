"""How long the core waits and how much it keeps: every bound of it, with unit and reason.

Decides: the defaults. Times are counted in ticks of tick_ms, because the core has no clock.
Must not know: where the values come from (settings).
Read next: log.py.
"""

import msgspec

from replog_node.model.features import FEATURE_LEVEL


class CoreLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one core; all members of a cluster should have the same times.

    tick_ms: what one Tick stands for.
    heartbeat_ticks: between two heartbeat rounds; a tenth of the election timeout, so that a
        follower misses several before it doubts.
    election_ticks: the election timeout (paper 5.2). Followers wait between once and twice this
        long; a leader without a quorum for this long steps down; a transfer and a forwarded read
        are given up after it.
    resend_ticks: without an answer for so long, what is in flight to a follower counts as lost.
        Longer than an ordinary disk stall, since resending doesn't make a disk faster.
    departure_ticks: how long a removed voter is told that it is removed.
    learner_patience_ticks: how long a change that could begin waits for live learners that are
        still behind, so that the new set starts with everybody.
    slow_disk_ticks: so long a leader's disk may owe what a quorum of the others has; longer than a
        sync takes on a sound disk, short enough that another leads within two seconds.
    handover_ticks: between two transfers that a leader begins by itself because of its disk, so
        that leadership doesn't go to and fro.
    max_append_bytes: of entries per AppendEntries; at least one entry goes, whatever its size.
    max_inflight_bytes, max_inflight_count: of unanswered AppendEntries per follower; at the limit
        the follower gets nothing until it answers (hashicorp/raft #541).
    cache_bytes: of entries kept in memory although committed and durable, for followers a little
        behind; those further behind are served from disk.
    uncommitted_bytes: of entries appended and not committed; at the limit proposals are refused.
    feature_level: what this build speaks (model/features.py).
    voters_max: members of a target.
    done_max: operation ids remembered in the configuration.
    reads_max: linearizable reads waiting in the core; more are refused at once.
    peers_max: members whose incarnation and feature level are remembered; the longest known is
        forgotten first.
    clock_margin_ms: how far log time may run ahead of the median of the voters' clocks.
    clock_jump_ms: a sole voter's clock that leaps further than this is not believed.
    """

    tick_ms: int = 50
    heartbeat_ticks: int = 2
    election_ticks: int = 20
    resend_ticks: int = 60
    departure_ticks: int = 600
    learner_patience_ticks: int = 1200
    slow_disk_ticks: int = 20
    handover_ticks: int = 1200
    max_append_bytes: int = 1 << 20
    max_inflight_bytes: int = 16 << 20
    max_inflight_count: int = 256
    cache_bytes: int = 64 << 20
    uncommitted_bytes: int = 64 << 20
    feature_level: int = FEATURE_LEVEL
    voters_max: int = 9
    done_max: int = 32
    reads_max: int = 10_000
    peers_max: int = 64
    clock_margin_ms: int = 500
    clock_jump_ms: int = 3_600_000
