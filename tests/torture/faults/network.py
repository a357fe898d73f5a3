"""Faults of the network: packets dropped by real filters, and a slow link.

Must not know: when they happen. Read next: ../network.py.
"""

import socket
import time
from collections.abc import Iterable
from random import Random

from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab, Member
from tests.torture.network import CLIENT_PORT

LOSS_PERCENT = 15
SLOW_S = 0.05
"""A connection takes longer over a slow link; else it takes a thousandth of a second."""


def isolate(lab: Lab, random: Random) -> Seen:
    """One member hears nobody and nobody hears it. Seen: packets dropped by its filter."""
    with lab.victim(random) as member:
        return _cut(
            lab,
            random,
            [*_ways([member], _others(lab, member)), *_ways(_others(lab, member), [member])],
        )


def one_way(lab: Lab, random: Random) -> Seen:
    """One member hears nobody, or nobody hears it. Seen: packets dropped by the filters."""
    with lab.victim(random) as member:
        others = _others(lab, member)
        deaf = random.random() < 0.5
        return _cut(lab, random, _ways(others, [member]) if deaf else _ways([member], others))


def pair(lab: Lab, random: Random) -> Seen:
    """The leader and a follower don't hear each other, all others do. Seen: as above."""
    with lab.victim(random, leader=True) as leader, lab.victim(random, leader=False) as member:
        return _cut(lab, random, [*_ways([leader], [member]), *_ways([member], [leader])])


def halves(lab: Lab, random: Random) -> Seen:
    """Two parts, drawn, that don't hear each other. Seen: as above."""
    members = random.sample(lab.members, len(lab.members))
    few, many = members[: len(members) // 2], members[len(members) // 2 :]
    return _cut(lab, random, [*_ways(few, many), *_ways(many, few)])


def shatter(lab: Lab, random: Random) -> Seen:
    """Nobody hears anybody. Seen: as above."""
    return _cut(lab, random, _ways(lab.members, lab.members))


def _others(lab: Lab, member: Member) -> list[Member]:
    return [other for other in lab.members if other is not member]


def _ways(senders: Iterable[Member], receivers: Iterable[Member]) -> list[tuple[int, int]]:
    receivers = list(receivers)
    return [(s.number, r.number) for s in senders for r in receivers if s is not r]


def _cut(lab: Lab, random: Random, ways: list[tuple[int, int]]) -> Seen:
    lab.network.cut(ways)
    try:
        time.sleep(random.uniform(1.5, 5))
    finally:
        dropped = lab.network.heal()
    cut = ", ".join(f"m{sender}→m{receiver}" for sender, receiver in ways)
    packets = sum(map(sum, dropped.values()))
    return Seen(packets > 0, f"{packets} packets dropped: {cut}")


def loss(lab: Lab, random: Random) -> Seen:
    """Every member loses some of the packets it gets. Seen: dropped by each one's filter."""
    lab.network.lose(LOSS_PERCENT)
    try:
        time.sleep(random.uniform(2, 5))
    finally:
        dropped = lab.network.heal()
    counts = [sum(dropped[member.number]) for member in lab.members]
    return Seen(all(counts), f"{LOSS_PERCENT} %: {counts} packets dropped")


def slow_link(lab: Lab, random: Random) -> Seen:
    """What a member sends waits in a queue. Seen: packets that waited, a slow connection."""
    with lab.victim(random) as member:
        lab.network.slow_down(member.number)
        try:
            time.sleep(random.uniform(2, 4))
            took_s = max(_connecting_s(member) for _ in range(5))
        finally:
            waited, dropped = lab.network.speed_up(member.number)
        evidence = f"{member.name}: {waited} packets waited, {dropped} dropped, {took_s:.2f} s"
        return Seen(waited > 0 and took_s > SLOW_S, evidence)


def _connecting_s(member: Member) -> float:
    """How long a connection to it takes, at most a second."""
    began_s = time.monotonic()
    try:
        socket.create_connection((member.client.partition(":")[0], CLIENT_PORT), 1.0).close()
    except TimeoutError:
        return 1.0
    return time.monotonic() - began_s


NETWORK = (
    Fault("isolated member", "network", isolate),
    Fault("one-way partition", "network", one_way),
    Fault("leader and follower apart", "network", pair),
    Fault("halves apart", "network", halves),
    Fault("all apart", "network", shatter),
    Fault("lost packets", "network", loss),
    Fault("slow link", "network", slow_link),
)
