"""Mixes of faults: some seeds draw from all kinds alike, most of them from two profiles.

Some bugs show only where several faults of one sort meet: two membership changes and a cut in
between, a vote and two power losses. Of all kinds drawn evenly those meet too rarely; that is what
the mutants have shown (docs/testing.md).

Decides: which kinds belong together. Must not know: when they strike.
Read next: plan.py, faults/__init__.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

PROFILES: Final[dict[str, tuple[str, ...]]] = {
    "membership": (
        "retarget", "retarget", "retarget", "retarget-without-leader", "transfer", "halves",
        "partition", "pair", "joint-split", "joint-split", "joint-split",
        "joint-cut", "joint-power", "joint-power-all", "unjoint-cut",
        "unjoint-power", "park-crash", "snapshot", "append-cut", "lead-cut", "wipe",
    ),
    "elections": (
        "append-usurp", "append-usurp", "slow-net", "slow-net", "lead-cut", "lead-power",
        "lead-pause", "append-cut", "append-cut",
        "append-power", "ack-cut", "vote-power", "vote-restart", "vote-hold", "ask-hold",
        "ask-power", "vote-crash", "transfer", "halves", "partition", "kill-all",
    ),
    "power": (
        "append-stall", "append-stall", "append-usurp",
        "power", "power-all", "ack-power", "ack-power-both", "ack-power-all", "append-power",
        "append-crash", "write-crash", "vote-crash", "truncate-crash", "crash-write", "kill",
        "lead-cut", "append-cut", "slow-disk", "stall",
    ),
    "snapshots": (
        "fall-behind", "fall-behind", "fall-behind", "snapshot", "trim", "trim", "wipe",
        "power", "power-all",
        "kill-all", "offer-crash", "install-crash", "install-crash", "build-crash",
        "release-crash", "chunk-break", "chunk-kill", "retarget",
    ),
    "rot": (
        "rot-flip", "rot-flip", "rot-flip", "rot-misdirected", "rot-stale", "mend-crash",
        "hole-cut", "hole-cut", "hole-kill", "hole-cut-leader", "unproven-cut-leader",
        "power", "kill", "kill-all", "partition", "transfer", "lead-cut", "append-cut",
    ),
    "reads": (
        "beat-pause", "beat-hold", "read-hold", "lead-pause", "lead-cut", "one-way", "deaf",
        "partition", "pause", "late", "lossy", "transfer", "halves",
    ),
    "callers": (
        "forward-break", "forward-kill", "result-break", "admin-break", "break", "late", "lossy",
        "transfer", "lead-cut", "kill", "pause", "stall", "slow-disk", "snapshot", "skew",
    ),
}  # fmt: skip
"""Kinds that belong together; what stands there twice comes twice as often."""


@dataclass(frozen=True)
class Focus:
    """A world in which one sort of bug lives, for the hunt of a mutant, or of a suspicion.

    kinds: of faults, and no others; value_bytes: that each record has at least, so that batches
    span sectors and blocks; keeps_all: nobody trims or lets go, so that old entries may rot;
    askers: clients that append with conditions.
    """

    kinds: tuple[str, ...]
    value_bytes: int = 0
    keeps_all: bool = False
    members: int = 3
    askers: int = 1


FOCUSES: Final[dict[str, Focus]] = {
    "membership": Focus(PROFILES["membership"], members=5),
    "elections": Focus(PROFILES["elections"]),
    "snapshots": Focus(PROFILES["snapshots"], value_bytes=100),
    "callers": Focus(PROFILES["callers"]),
    "torn": Focus(
        ("append-power", "append-power", "ack-power", "ack-power-both", "power", "power",
         "power-all", "append-crash", "write-crash", "lead-power", "stall", "transfer"),
        value_bytes=700,
    ),
    "holes": Focus(
        ("rot-flip", "rot-flip", "rot-flip", "rot-misdirected", "rot-stale", "hole-cut",
         "hole-cut-leader", "unproven-cut-leader", "power", "kill", "lead-cut", "lead-power",
         "transfer", "append-cut", "partition"),
        value_bytes=300, keeps_all=True,
    ),
    "crashes": Focus(
        ("both-crash", "both-crash", "both-crash", "both-crash", "slow-disk", "vote-crash",
         "truncate-crash", "truncate-crash", "truncate-crash", "append-crash", "append-usurp",
         "append-usurp", "append-cut", "lead-cut", "kill", "power", "partition"),
    ),
    "votes": Focus(
        ("slow-net", "slow-net", "slow-net", "lead-cut", "lead-cut", "lead-power", "lead-pause",
         "kill-all", "vote-hold", "ask-hold", "ask-hold", "pace", "heal"),
        members=5,
    ),
    "strangers": Focus(
        ("stranger", "stranger", "stranger", "stranger", "relic", "refound", "wipe", "retarget",
         "lead-cut", "kill"),
    ),
    "minority": Focus(
        ("append-cut-slow", "append-cut-slow", "append-cut-slow", "append-cut", "slow-net",
         "transfer"),
        members=5,
    ),
    "operators": Focus(
        ("retarget", "retarget", "retarget", "admin-break", "admin-break", "admin-break",
         "slow-net", "slow-disk", "lead-cut", "append-cut", "stall", "heal"),
    ),
    "sleepers": Focus(
        ("lead-pause", "lead-pause", "beat-pause", "beat-pause", "beat-sleep", "append-cut-slow",
         "pause", "lead-cut"),
        askers=6,
    ),
    "reads": Focus(
        ("beat-sleep", "beat-sleep", "beat-sleep", "beat-sleep",
         "beat-hold", "beat-hold", "beat-pause", "read-hold", "read-hold", "lead-pause",
         "lead-cut", "one-way", "deaf", "late", "halves"),
    ),
}  # fmt: skip
"""By name; the swarm's own seeds draw from none of them (make sim FOCUS=holes SEEDS=1..50)."""


ALL_KINDS: Final = 0.2
"""How many of the seeds draw from all kinds alike."""

TOGETHER: Final = 2
"""Profiles of one seed: what each brings meets what the other does."""


def mix(random: Random, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of one seed, as often as they are to come; kinds: all that there are."""
    some = random.sample(kinds, random.randint(3, len(kinds) // 2))
    if random.random() < ALL_KINDS:
        return tuple(sorted(some))
    found = some[:3]
    for profile in random.sample(sorted(PROFILES), TOGETHER):
        kinds_of_it = PROFILES[profile]
        found += random.sample(kinds_of_it, random.randint(6, len(kinds_of_it)))
    return tuple(sorted(found))
