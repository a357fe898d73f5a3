"""What a seed draws before a run begins: the world's shape, its climate, and every fault to come.

Swarm testing (Groce et al., ISSTA 2012): each seed has its own mix of kinds, and its own rates, so
that faults which hide each other don't always come together. A fault carries its own luck, so that
one can be left out without changing the others: that is how a failing run is shortened.

Decides: all that. Must not know: what a fault does.
Read next: swarm.py, faults/registry.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from tests.simulation.faults import KINDS, Strike
from tests.simulation.network import Weather
from tests.simulation.profiles import FOCUSES, Focus, mix
from tests.simulation.sizes import Sizes

MEMBERS: Final = (1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7)
SECONDS: Final = (10, 15, 20)
"""Of faults, in virtual time."""


@dataclass(frozen=True)
class Plan:
    """A run: members of which `voters` are the first target; seconds of faults; every strike.

    value_bytes: that each record has at least. askers: clients with conditions.
    focus: of profiles.FOCUSES, "" for none.
    """

    seed: int
    members: int
    voters: int
    seconds: int
    sizes: Sizes
    climate: Weather
    plain: int
    sessions: int
    readers: int
    kinds: tuple[str, ...]
    strikes: tuple[Strike, ...]
    value_bytes: int = 0
    askers: int = 1
    focus: str = ""

    def only(self, numbers: frozenset[int]) -> Plan:
        """The same without all other strikes."""
        return replace(self, strikes=tuple(s for s in self.strikes if s.number in numbers))


def draw(seed: int, focus: str = "") -> Plan:
    """The plan of a seed; with a focus (profiles.FOCUSES), one for that sort of bug."""
    return _focused(seed, focus, FOCUSES[focus]) if focus else _drawn(seed)


def _focused(seed: int, name: str, focus: Focus) -> Plan:
    plan, random = _drawn(seed), Random(f"focus {seed}")
    return replace(
        plan,
        focus=name,
        members=focus.members,
        voters=focus.members,
        climate=Weather(),
        kinds=focus.kinds,
        strikes=_strikes(random, focus.kinds, plan.seconds),
        sizes=replace(plan.sizes, retention_bytes=0) if focus.keeps_all else plan.sizes,
        value_bytes=focus.value_bytes,
        askers=focus.askers,
    )


def _drawn(seed: int) -> Plan:
    random = Random(f"plan {seed}")
    members = random.choice(MEMBERS)
    seconds = random.choice(SECONDS)
    kinds = mix(random, KINDS)
    return Plan(
        seed=seed,
        members=members,
        voters=random.randint(max(1, members - 2), members),
        seconds=seconds,
        sizes=_sizes(random),
        climate=_climate(random),
        plain=random.randint(1, 3),
        sessions=random.randint(1, 4),
        readers=random.randint(1, 3),
        kinds=kinds,
        strikes=_strikes(random, kinds, seconds),
    )


def _sizes(random: Random) -> Sizes:
    segment_bytes = random.choice((8, 16, 32)) * 1024
    return Sizes(
        segment_bytes=segment_bytes,
        cache_bytes=random.choice((4, 16, 64)) * 1024,
        group_bytes=random.choice((1, 4)) * 1024,
        snapshot_bytes=random.choice((1, 2, 4)) * segment_bytes,
        retention_bytes=random.choice((0, 2, 4)) * segment_bytes,
        piece_bytes=random.choice((64, 256, 1024)),
    )


def _climate(random: Random) -> Weather:
    """What the network is like all the time: mostly good."""
    if random.random() < 0.6:
        return Weather()
    return Weather(
        loss=random.choice((0, 0.01, 0.05)),
        double=random.choice((0, 0.05)),
        slow=random.choice((0, 0.05)),
    )


def _strikes(random: Random, kinds: tuple[str, ...], seconds: int) -> tuple[Strike, ...]:
    every_ms = random.choice((150, 250, 500, 1000))
    found: list[Strike] = []
    at_ms = random.randint(0, every_ms)
    while at_ms < seconds * 1000:
        number, kind = len(found), random.choice(kinds)
        if random.random() < 0.15:
            kind = "heal"
        found.append(Strike(number, at_ms, kind, random.randrange(1 << 16), random.getrandbits(32)))
        at_ms += random.randint(every_ms // 4, every_ms)
    return tuple(found)
