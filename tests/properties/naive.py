"""Quorums, log matching and joint changes the slow way, straight from the thesis.

Written without a look at the core: sets, lists, and every subset.

Decides: what is right. Must not know: replog_node.raft.
Read next: the tests beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

Log = tuple[tuple[int, int, int], ...]
"""Entries as (term, first offset, last offset)."""


def is_majority(some: set[str], voters: set[str]) -> bool:
    """More than half."""
    return len(some & voters) * 2 > len(voters)


def is_quorum(some: set[str], voters: set[str], outgoing: set[str]) -> bool:
    """A majority of the new set, and of the old one while there is one."""
    return is_majority(some, voters) and (not outgoing or is_majority(some, outgoing))


def reached(held: Mapping[str, int], voters: set[str], outgoing: set[str]) -> int:
    """The highest number that a quorum reached: try each."""
    best = -1
    for number in held.values():
        if is_quorum({m for m, has in held.items() if has >= number}, voters, outgoing):
            best = max(best, number)
    return best


def quorums(voters: set[str], outgoing: set[str]) -> Iterator[set[str]]:
    """Every set of members that can decide."""
    everyone = sorted(voters | outgoing)
    for size in range(1, len(everyone) + 1):
        for some in combinations(everyone, size):
            if is_quorum(set(some), voters, outgoing):
                yield set(some)


def common_end(one: Log, other: Log) -> tuple[int, int]:
    """(term, last offset) of the last entry that both logs have; (0, -1) for none."""
    end = (0, -1)
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        end = (mine[0], mine[2])
    return end


def histories(steps: Sequence[tuple[int, int, Sequence[int]]], members: int) -> list[Log]:
    """Logs as Raft can make them: in each term one leader appends, and others copy a part of it.

    steps: (leader, how many entries, for each member how many of the leader's entries it takes
    over, or -1 for none). A leader never loses entries of its own.
    """
    logs: list[Log] = [()] * members
    for term, (leader, count, copies) in enumerate(steps, start=1):
        log = list(logs[leader])
        for number in range(count):
            first = log[-1][2] + 1 if log else 0
            log.append((term, first, first + number % 3))
        logs[leader] = tuple(log)
        for member, taken in enumerate(copies):
            if member != leader and taken >= 0:
                agreed = common_length(logs[member], logs[leader])
                logs[member] = logs[leader][: max(agreed, min(taken, len(log)))]
    return logs


def common_length(one: Log, other: Log) -> int:
    """How many entries both begin with."""
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return length
