"""Log time: the append time of entries (design section 3, Log time)."""

from msgspec.structs import replace

from replog_node.raft.effects import Accepted, Reason, Rejected
from replog_node.raft.events import ClockAcknowledged
from tests.unit.raft.cluster import LIMITS, START_MS, Cluster, Node

HOUR_MS = 3_600_000


def led(voters: str = "abc") -> tuple[Cluster, Node]:
    """A cluster with an established leader."""
    cluster = Cluster(voters)
    node = cluster.elect("a")
    cluster.run(3)
    return cluster, node


def stamp(node: Node) -> int:
    """The log time of an entry that is appended now."""
    verdict = node.propose()
    assert isinstance(verdict, Accepted), verdict
    return verdict.entry.append_time_ms


def test_while_clocks_agree_log_time_is_the_leaders_clock() -> None:
    cluster, a = led()
    assert stamp(a) == a.clock_ms
    cluster.run(7)
    assert stamp(a) == a.clock_ms


def test_a_leaders_clock_that_is_ahead_is_held_to_the_median_and_a_margin() -> None:
    cluster, a = led()
    others = cluster["b"].clock_ms
    a.clock_ms += HOUR_MS
    cluster.run(3)
    others = cluster["b"].clock_ms
    assert others <= stamp(a) <= others + LIMITS.clock_margin_ms + 3 * LIMITS.tick_ms


def test_a_leaders_clock_that_is_a_little_ahead_is_believed() -> None:
    cluster, a = led()
    a.clock_ms += LIMITS.clock_margin_ms - 2 * LIMITS.tick_ms
    cluster.run(3)
    assert stamp(a) == a.clock_ms


def test_one_wrong_follower_moves_nothing() -> None:
    cluster, a = led()
    for wrong_ms in (HOUR_MS, -HOUR_MS):
        cluster["b"].clock_ms = START_MS + wrong_ms
        cluster.run(3)
        assert stamp(a) == a.clock_ms


def test_log_time_never_goes_back_and_runs_on_at_half_rate_while_the_clock_is_behind() -> None:
    cluster, a = led()
    before = stamp(a)
    a.clock_ms -= HOUR_MS
    assert stamp(a) == before
    cluster.run(10)
    assert stamp(a) == before + 10 * LIMITS.tick_ms // 2
    cluster.run(4)
    assert stamp(a) == before + 14 * LIMITS.tick_ms // 2


def test_log_time_goes_with_the_clock_again_once_it_has_caught_up() -> None:
    cluster, a = led()
    before = stamp(a)
    for node in cluster.nodes.values():
        node.clock_ms -= 1000
    cluster.run(30)
    assert stamp(a) == a.clock_ms > before


def test_a_new_leader_goes_on_from_the_log_whatever_its_clock_says() -> None:
    cluster, a = led()
    before = stamp(a)
    cluster.deliver()
    cluster["b"].clock_ms -= HOUR_MS
    b = cluster.elect("b")
    assert stamp(b) >= before


def test_a_silent_voters_clock_is_taken_to_go_on() -> None:
    cluster, a = led()
    cluster.run(5)
    cluster.isolate("b")
    cluster.isolate("c")
    cluster.run(LIMITS.election_ticks - 2)
    assert stamp(a) == a.clock_ms


def test_a_sole_voter_does_not_believe_a_clock_that_leaps() -> None:
    cluster, a = led("a")
    before = stamp(a)
    a.clock_ms += LIMITS.clock_jump_ms + 10_000
    cluster.run(1)
    assert a.core.admitting is Reason.CLOCK_JUMP
    assert a.propose() == Rejected(Reason.CLOCK_JUMP)
    a.step(ClockAcknowledged())
    assert stamp(a) == a.clock_ms > before + LIMITS.clock_jump_ms


def test_a_leap_between_two_ticks_makes_no_entry_either() -> None:
    _, a = led("a")
    before = stamp(a)
    a.clock_ms += LIMITS.clock_jump_ms + 10_000
    assert stamp(a) < before + 1000


def test_a_clock_that_leapt_and_comes_back_is_believed_again() -> None:
    cluster, a = led("a")
    a.clock_ms += 2 * LIMITS.clock_jump_ms
    cluster.run(5)
    assert a.core.admitting is Reason.CLOCK_JUMP
    a.clock_ms -= 2 * LIMITS.clock_jump_ms
    cluster.run(1)
    assert a.core.admitting is None
    assert stamp(a) == a.clock_ms


def test_a_small_step_of_a_sole_voters_clock_is_believed() -> None:
    cluster, a = led("a")
    a.clock_ms += LIMITS.clock_jump_ms - 10_000
    cluster.run(1)
    assert stamp(a) == a.clock_ms


def test_in_a_larger_cluster_the_median_makes_a_leap_harmless() -> None:
    cluster, a = led()
    a.clock_ms += 2 * LIMITS.clock_jump_ms
    cluster.run(1)
    assert a.core.admitting is None


def test_acknowledging_means_nothing_to_a_follower() -> None:
    cluster, _ = led()
    assert cluster["b"].step(ClockAcknowledged()) == []


def test_the_leap_that_counts_is_a_limit() -> None:
    cluster = Cluster("a", limits=replace(LIMITS, clock_jump_ms=5000))
    a = cluster.elect("a")
    cluster.run(2)
    a.clock_ms += 6000
    cluster.run(1)
    assert a.core.admitting is Reason.CLOCK_JUMP
