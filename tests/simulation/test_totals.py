"""What many runs did together, counted in several processes."""

from collections import Counter

from tests.simulation.swarm import Result
from tests.simulation.totals import Totals


def _result(seed: int, appends: int, **effects: int) -> Result:
    counted, answers = Counter(effects), Counter(appended=appends, not_leader=1)
    return Result(
        seed, 3, 2500, 9000, appends, 70, 20.0, counted, counted, answers, needed_all=seed == 1
    )


def test_totals_are_the_same_on_the_other_side_of_a_process() -> None:
    one, other = Totals(), Totals()
    one.add(_result(1, 60, kill=2))
    other.add(_result(2, 100, kill=1, power=3))
    one.merge(Totals.decode(other.encode()))
    assert one.seeds == 2 and one.events == 18_000 and one.appends == [60, 100]
    assert one.effects == Counter(kill=3, power=3) and one.weak == []
    assert one.answers == Counter(appended=160, not_leader=2) and one.needed_all == 1
    assert Totals.decode(one.encode()) == one


def test_a_seed_that_did_too_little_is_named() -> None:
    totals = Totals()
    totals.add(_result(1, 49, kill=1))
    totals.add(_result(2, 50))
    totals.add(_result(3, 50, kill=1))
    assert totals.weak == [1, 2]
