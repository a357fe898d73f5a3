"""Whatever producers, leaders and time do: no batch lies in the log twice, and none after a gap.

A naive leader is tried with random calls: its entries are applied late, cut when it loses the
lead, and retried by producers that don't know what became of them. Then the log is looked at.
"""

from collections import defaultdict
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from replog.wire.batches import CheckedBatch, NewRecord, build_batch, records_of, stamp_of
from replog.wire.limits import IN_FLIGHT_MAX, SEQUENCES
from replog.wire.problems import ApiError
from replog_node.frames.decode import controls, data_batches
from replog_node.model.controls import ClockAdvanced, ProducerAllocated
from replog_node.model.positions import Offset
from replog_node.state.applied import AppliedState
from replog_node.state.head import Duplicate, HeadState
from tests.unit.state.log import Log, allocated

NEAR_THE_WRAP = SEQUENCES - 4
EXPIRES_AFTER_MS = 20
PLACED = 16
"""Bytes of a batch that its place in the log changes, with its length between."""

producers = st.integers(1, 3)
calls = st.one_of(
    st.tuples(st.just("new"), producers, st.integers(1, 3)),
    st.tuples(st.just("again"), producers, st.integers(1, IN_FLIGHT_MAX + 2)),
    st.tuples(st.just("ahead"), producers, st.integers(1, 5)),
    st.tuples(st.just("other"), producers, st.integers(1, 3)),
    st.tuples(st.just("apply"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("lead lost"), st.integers(0, 4), st.just(0)),
    st.tuples(st.just("time"), st.integers(1, EXPIRES_AFTER_MS + 5), st.just(0)),
)


class World:
    """A leader's log with admission, and producers that build batches of bytes never seen before.

    sent: each producer's batches in its order, a retry sends the very same. told: where a batch
    was said to be.
    """

    def __init__(self, first_sequence: int) -> None:
        self.log = Log()
        self.applied = AppliedState()
        self.head = HeadState(self.applied)
        self.sent: dict[int, list[CheckedBatch]] = defaultdict(list)
        self.told: dict[bytes, Offset] = {}
        self._unique = 0
        for producer in (1, 2, 3):
            self.log.append(allocated(producer, expires_after_ms=EXPIRES_AFTER_MS))
            if first_sequence:
                before = self.batch(producer, first_sequence - 1, 1)
                self.told[before.data] = self.log.append(batches=[before]).base
                self.sent[producer].append(before)
        self.apply(len(self.log.entries))

    def batch(self, producer: int, sequence: int, count: int) -> CheckedBatch:
        self._unique += 1
        return build_batch(
            [NewRecord(b"%d" % self._unique)] * count,
            producer_id=producer, producer_epoch=0, base_sequence=sequence % SEQUENCES,
        )  # fmt: skip

    def do(self, call: str, number: int, more: int) -> None:
        match call:
            case "new":
                found = self.batch(number, self.next_sequence(number), more)
                self.sent[number].append(found)
                self.produce(found)
            case "again":
                for found in self.sent[number][-more:]:
                    self.produce(found)
            case "ahead":
                self.produce(self.batch(number, self.next_sequence(number) + more, 1))
            case "other":
                for found in self.sent[number][-more:]:
                    self.produce(self.batch(number, found.base_sequence, found.count))
            case "apply":
                self.apply(number)
            case "lead lost":
                self.lose_the_lead(number)
            case _:
                self.log.time_ms += number
                self.log.append(ClockAdvanced())

    def next_sequence(self, producer: int) -> int:
        sent = self.sent[producer]
        return sent[-1].last_sequence + 1 if sent else 0

    def produce(self, found: CheckedBatch) -> None:
        base = self.log.end
        try:
            answer = self.head.admit(found, base, self.log.tail.append_time_ms)
        except ApiError:
            return
        if isinstance(answer, Duplicate):
            assert self.told[found.data] == answer.base
            assert answer.pending == (answer.last > self.applied.offset)
        else:
            self.log.append(batches=[found])
            self.told[found.data] = base

    def apply(self, number: int) -> None:
        for entry in [e for e in self.log.entries if e.base > self.applied.offset][:number]:
            self.applied.apply(entry)
        self.head.applied_through(self.applied.offset)

    def lose_the_lead(self, kept: int) -> None:
        """The next leader holds some of what wasn't applied, and applies it before it admits."""
        self.apply(kept)
        self.log.cut(self.applied.offset)
        self.head.drop()


def batches_by_producer(log: Log) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for entry in log.entries:
        for data in data_batches(entry):
            found[stamp_of(data).producer_id].append(bytes(data))
    return found


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([0, NEAR_THE_WRAP]), st.lists(calls, max_size=60))
def test_no_record_is_there_twice_and_none_comes_after_a_gap(
    first_sequence: int, script: list[tuple[str, int, int]]
) -> None:
    world = World(first_sequence)
    for call in script:
        world.do(*call)

    for batches in batches_by_producer(world.log).values():
        unique = [next(records_of(data)).value for data in batches]
        assert len(set(unique)) == len(unique)
        for earlier, later in pairwise(map(stamp_of, batches)):
            assert later.base_sequence == (earlier.base_sequence + earlier.records) % SEQUENCES


@settings(max_examples=100, deadline=None)
@given(st.lists(calls, max_size=40))
def test_a_producer_that_repeats_until_it_is_answered_loses_nothing(
    script: list[tuple[str, int, int]],
) -> None:
    """Batches that were lost with a leader are appended when sent again, in their order."""
    world = World(0)
    for call in script:
        if call[0] not in ("ahead", "other", "time"):
            world.do(*call)
    kept = {producer: len(sent) for producer, sent in world.sent.items()}
    for producer in kept:
        world.do("again", producer, len(world.sent[producer]))

    by_producer = batches_by_producer(world.log)
    for producer, sent in world.sent.items():
        assert [data[PLACED:] for data in by_producer[producer]] == [b.data[PLACED:] for b in sent]


@settings(max_examples=100, deadline=None)
@given(st.lists(calls, max_size=40), st.data())
def test_members_at_the_same_offset_hold_the_same_state(
    script: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """However a member came there: with looks in between, in one go, or as a leader."""
    world = World(0)
    for call in script:
        world.do(*call)
    world.apply(len(world.log.entries))
    split = data.draw(st.integers(0, len(world.log.entries)))
    state = AppliedState()
    for entry in world.log.entries[:split]:
        state.apply(entry)
        state.digest()
    for entry in world.log.entries[split:]:
        state.apply(entry)

    assert state.digest() == world.applied.digest()


@settings(max_examples=100, deadline=None)
@given(st.lists(calls, max_size=60))
def test_the_sessions_are_those_of_a_naive_second_reading(
    script: list[tuple[str, int, int]],
) -> None:
    world = World(0)
    for call in script:
        world.do(*call)
    world.apply(len(world.log.entries))

    assert {
        producer: session.last_append_ms for producer, session in world.applied.sessions.items()
    } == last_heard(world.log)


def last_heard(log: Log) -> dict[int, int]:
    """When each producer that isn't forgotten was last heard of: all are looked at each time."""
    heard: dict[int, int] = {}
    for entry in log.entries:
        now = entry.append_time_ms
        for _, control in controls(entry):
            if isinstance(control, ProducerAllocated):
                heard[control.producer_id] = now
        for data in data_batches(entry):
            if stamp_of(data).producer_id in heard:
                heard[stamp_of(data).producer_id] = now
        heard = {who: when for who, when in heard.items() if when + EXPIRES_AFTER_MS >= now}
    return heard
