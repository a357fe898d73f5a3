"""Commit and votes: the core's arithmetic agrees with counting every way there is."""

from hypothesis import given
from hypothesis import strategies as st

from replog_node.model.positions import MemberId
from replog_node.raft.quorum import Electorate, Verdict
from tests.properties import naive

NAMES = tuple(MemberId(name) for name in "abcdefg")
SETS = st.sets(st.sampled_from(NAMES), min_size=1, max_size=7)
HELD = st.dictionaries(st.sampled_from(NAMES), st.integers(-1, 6))


def electorate(voters: set[MemberId], outgoing: set[MemberId]) -> Electorate:
    return Electorate(tuple(sorted(voters)), tuple(sorted(outgoing)))


@given(SETS, st.one_of(st.just(set()), SETS), HELD)
def test_what_is_reached_is_what_some_quorum_reached(
    voters: set[MemberId], outgoing: set[MemberId], held: dict[MemberId, int]
) -> None:
    numbers: dict[str, int] = {name: held.get(name, -1) for name in NAMES}
    expected = naive.reached(numbers, set(voters), set(outgoing))
    assert electorate(voters, outgoing).reached(held) == expected


@given(
    SETS, st.one_of(st.just(set()), SETS), st.dictionaries(st.sampled_from(NAMES), st.booleans())
)
def test_an_election_is_won_by_a_quorum_and_lost_when_none_is_left(
    voters: set[MemberId], outgoing: set[MemberId], votes: dict[MemberId, bool]
) -> None:
    granted: set[str] = {m for m, vote in votes.items() if vote}
    possible: set[str] = {m for m in NAMES if votes.get(m) is not False}
    verdict = electorate(voters, outgoing).verdict(votes)
    if naive.is_quorum(granted, set(voters), set(outgoing)):
        assert verdict is Verdict.WON
    elif naive.is_quorum(possible, set(voters), set(outgoing)):
        assert verdict is Verdict.OPEN
    else:
        assert verdict is Verdict.LOST
