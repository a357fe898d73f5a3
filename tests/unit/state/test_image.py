"""The state as bytes: equal where the state is, whole after the way there and back, and hostile
bytes refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replog_node.model.configuration import Configuration, Member
from replog_node.model.controls import (
    ClockAdvanced,
    ConfigurationChanged,
    Control,
    LogCreated,
    LogTrimmed,
    ProducerFenced,
    SnapshotPoint,
    TermStarted,
)
from replog_node.model.entries import Entry
from replog_node.model.positions import Lineage, MemberId, Offset
from replog_node.state.applied import AppliedState
from replog_node.state.image import StateDamaged, StateUnknown, decode_image
from tests.unit.state.log import CLUSTER, Log, allocated, batch, plain

CONFIGURATION = Configuration(
    (Member(MemberId("a"), "a:1"),), outgoing=(Member(MemberId("b"), "b:1"),)
)

STEPS = st.sampled_from(
    ["plain", "session", "allocate", "fence", "trim", "point", "time", "configuration", "term"]
)


def _log(steps: list[str]) -> list[Entry]:
    log = Log()
    log.append(LogCreated(CLUSTER, Lineage(1, "x")))
    producers, sequences = 0, dict[int, int]()
    for number, step in enumerate(steps):
        controls: list[Control] = []
        batches = []
        match step:
            case "plain":
                batches = [plain(b"a", b"b")]
            case "session" if sequences:
                producer = 1 + number % producers
                batches = [batch(sequences[producer], (b"v",), producer=producer)]
                sequences[producer] += 1
            case "allocate":
                producers += 1
                sequences[producers] = 0
                controls = [allocated(producers, request=f"r{producers % 3}")]
            case "fence" if producers:
                controls = [ProducerFenced(1 + number % producers, 1)]
            case "trim":
                controls = [LogTrimmed(log.end - 1, "call")]
            case "point":
                controls = [SnapshotPoint("size")]
            case "configuration":
                controls = [ConfigurationChanged("target", f"o{number}", CONFIGURATION)]
            case "time":
                log.time_ms += 700
                controls = [ClockAdvanced()]
            case _:
                controls = [TermStarted(MemberId("a"))]
        log.append(*controls, batches=batches)
    return log.entries


def _folded(entries: list[Entry], state: AppliedState | None = None) -> AppliedState:
    state = state or AppliedState()
    for entry in entries:
        state.apply(entry)
    return state


@given(st.lists(STEPS, max_size=25), st.integers(0, 25))
def test_going_on_from_an_image_is_going_on_from_the_log(steps: list[str], at: int) -> None:
    entries = _log(steps)
    whole = _folded(entries)
    image = _folded(entries[:at]).encode()
    resumed = _folded(entries[at:], AppliedState.decode(image))
    assert resumed.encode() == whole.encode()
    assert AppliedState.decode(whole.encode()).digest() == whole.digest()


def test_what_makes_states_differ_makes_images_differ() -> None:
    images = {_folded(_log(["plain"] * 3 + [step])).encode() for step in ("trim", "point", "plain")}
    assert len(images) == 3


def test_a_trim_moves_the_start_forward_only_and_never_beyond_itself() -> None:
    log = Log()
    log.append(batches=[plain(b"a", b"b", b"c")])
    state = AppliedState()
    for wanted in (2, 1, 10**9):
        log.append(LogTrimmed(wanted, "call"))
    for entry, expected in zip(log.entries, (0, 2, 2, 5), strict=True):
        state.apply(entry)
        assert state.log_start == expected


def test_bytes_are_counted_from_the_last_snapshot_point_on() -> None:
    log, state = Log(), AppliedState()
    log.append(batches=[plain(b"a")])
    state.apply(log.entries[0])
    assert (state.point, state.bytes_since_point) == (-1, log.entries[0].size_bytes)
    state.apply(log.append(SnapshotPoint("call")))
    assert (state.point, state.bytes_since_point) == (Offset(1), 0)
    state.apply(log.append(batches=[plain(b"b")]))
    assert state.bytes_since_point == log.entries[-1].size_bytes


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_bytes_that_are_no_image_are_refused(cut: int) -> None:
    image = _folded(_log(["plain", "allocate"])).encode()
    with pytest.raises(StateDamaged):
        AppliedState.decode(image[:cut])
    with pytest.raises(StateDamaged):
        decode_image(b"\xff" * 50)


@pytest.mark.parametrize("image", [[2, []], [1, [["table", 1, None]]], [1, [["log", 2, None]]]])
def test_what_a_newer_build_wrote_is_refused_rather_than_left_out(image: object) -> None:
    with pytest.raises(StateUnknown):
        decode_image(msgspec.msgpack.encode(image))


def test_an_image_that_lacks_a_part_is_refused() -> None:
    with pytest.raises(StateDamaged):
        decode_image(msgspec.msgpack.encode([1, []]))


def test_a_refused_image_leaves_the_state_as_it_was() -> None:
    state = _folded(_log(["plain"]))
    before = state.encode()
    with pytest.raises(StateDamaged):
        state.load(b"nonsense")
    assert state.encode() == before
