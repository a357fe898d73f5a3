"""The flight recorder and its replay (replog_node/driver/flight.py, replay.py)."""

from collections.abc import Callable

import msgspec
import pytest

from replog.wire.schemas import ProducerRequest
from replog_node.driver.flight import Recording, RecordingUnsound, pack, unpack
from replog_node.driver.flightsteps import StepUnsound, decode, encode
from replog_node.driver.limits import DriverLimits
from replog_node.driver.replay import Outcome, replay
from replog_node.model.positions import MemberId
from replog_node.raft.checkpoint import Checkpoint
from replog_node.raft.effects import Commit, Send
from replog_node.raft.events import PeerUp, Received, Tick
from replog_node.raft.messages import AppendEntries, Envelope, Heartbeat, Incarnation
from replog_node.raft.violation import InvariantViolation
from tests.unit.driver.rig import WALL_MS, Answers, Node, Rig, batch

SECRET = "nobody's business"


def _rig(flight_bytes: int = 1 << 20) -> Rig:
    """Three members that have seen records, ticks, and a follower that was away."""
    rig = Rig(3, limits=DriverLimits(flight_bytes=flight_bytes)).found()
    for number in range(20):
        rig.nodes[number % 3].append(batch(f"{SECRET} {number}"))
        rig.deliver()
        rig.tick()
    return rig


def _taken(node: Node) -> Recording:
    return unpack(node.driver.recording(build="b", why="asked"))


def _replayed(recording: Recording) -> list[Outcome]:
    outcomes = list(replay(recording))
    assert len(outcomes) == sum(len(each.steps) for each in recording.generations)
    return outcomes


def _changed(recording: Recording, index: int, change: Callable[[bytes], bytes]) -> Recording:
    """The recording with another step in place of one of its first generation."""
    first = recording.generations[0]
    first.steps[index] = change(first.steps[index])
    return recording


def test_every_member_does_the_same_again() -> None:
    for node in _rig().nodes:
        recording = _taken(node)
        assert all(outcome.difference is None for outcome in _replayed(recording))
        assert len(recording.generations) == 1 and recording.dropped == 0


def test_what_a_full_ring_still_holds_can_be_run_again() -> None:
    for node in _rig(flight_bytes=40_000).nodes:
        recording = _taken(node)
        assert len(recording.generations) == 2 and recording.dropped > 0
        assert all(outcome.difference is None for outcome in _replayed(recording))


def _resent(recording: Recording) -> int:
    """How many entries were sent that are older than the recording."""
    first = recording.generations[0]
    tail = msgspec.msgpack.decode(first.checkpoint, type=Checkpoint).log.tail.position
    return sum(
        entry.last <= tail.offset
        for generation in recording.generations
        for data in generation.steps
        for effect in decode(data).effects
        if isinstance(effect, Send) and isinstance(effect.message, AppendEntries)
        for entry in effect.message.entries
    )


def test_entries_older_than_the_recording_are_sent_again_as_they_were() -> None:
    rig = _rig(flight_bytes=60_000)
    leader, away = rig.nodes[0], rig.nodes[2]
    rig.cut_off.add(away.member)
    for number in range(100):
        leader.append(batch(f"{number}"))
        rig.deliver()
        rig.tick()
    rig.cut_off.clear()
    while away.driver.applied.offset < leader.driver.applied.offset:
        rig.tick()
    assert _resent(_taken(leader)) >= 50
    for node in rig.nodes:
        assert all(outcome.difference is None for outcome in _replayed(_taken(node)))


def test_a_control_record_is_framed_again_and_not_believed() -> None:
    rig = _rig()
    rig.nodes[0].call(ProducerRequest("mine", 60_000))
    rig.deliver()
    recording = _taken(rig.nodes[0])
    steps = recording.generations[0].steps
    index = next(number for number, data in enumerate(steps) if b"mine" in data)
    other = _changed(recording, index, lambda data: data.replace(b"mine", b"your"))
    *same, last = list(replay(other))
    assert (len(same), last.number) == (index, index + 1)
    assert "Persist(" in str(last.difference)


def test_a_ring_is_bounded_in_bytes() -> None:
    rig = _rig(flight_bytes=60_000)
    for _ in range(10):
        rig.nodes[0].append(batch("x" * 10_000))
        rig.deliver()
        rig.tick(20)
        assert len(rig.nodes[0].driver.recording(build="", why="")) < 80_000


def test_no_record_is_in_a_recording() -> None:
    for node in _rig().nodes:
        assert SECRET.encode() not in node.driver.recording(build="b", why="asked")


def test_a_ring_of_no_bytes_keeps_nothing_and_says_so() -> None:
    recording = _taken(_rig(flight_bytes=0).nodes[0])
    assert recording.generations == []
    with pytest.raises(RecordingUnsound, match="holds nothing"):
        list(replay(recording))


def test_a_member_without_a_core_has_nothing_to_tell() -> None:
    recording = _taken(Rig(1).nodes[0])
    assert recording.generations == []
    assert (recording.build, recording.why, recording.at_ms // 10_000) == (
        "b", "asked", WALL_MS // 10_000,
    )  # fmt: skip


def test_the_first_step_that_differs_is_told_and_ends_the_replay() -> None:
    def change(data: bytes) -> bytes:
        step = decode(data)
        commits = [effect for effect in step.effects if isinstance(effect, Commit)]
        others = tuple(effect for effect in step.effects if effect not in commits)
        return encode(step.event, others)

    recording = _taken(_rig().nodes[0])
    steps = recording.generations[0].steps
    index = next(
        number
        for number, data in enumerate(steps)
        if any(isinstance(effect, Commit) for effect in decode(data).effects)
    )
    outcomes = list(replay(_changed(recording, index, change)))
    assert [outcome.number for outcome in outcomes] == list(range(1, index + 2))
    assert "now: Commit(" in str(outcomes[-1].difference)
    assert all(outcome.difference is None for outcome in outcomes[:-1])


def test_equal_effects_are_not_enough_where_the_memory_is_another_in_the_end() -> None:
    """A tick that is left out shows in nothing that a follower says for long."""
    recording = _taken(_rig(flight_bytes=40_000).nodes[2])
    first = recording.generations[0]
    ticks = [n for n, data in enumerate(first.steps) if isinstance(decode(data).event, Tick)]
    nothing = encode(PeerUp(MemberId("nobody")), ())
    outcomes = list(replay(_changed(recording, ticks[-1], lambda _: nothing)))
    assert len(outcomes) == len(first.steps)
    assert str(outcomes[-1].difference).endswith("memory is not: state, elections")


def _usurped(rig: Rig) -> str:
    """Let a second leader speak in the leader's term; what the core says before it ends."""
    leader, other = rig.nodes[0], rig.nodes[1]
    heartbeat = Heartbeat(leader.driver.kernel.term(), leader.driver.applied.offset, 1, WALL_MS)
    run = Incarnation(1, 1)
    envelope = Envelope(other.member, leader.member, run, None, heartbeat)
    with pytest.raises(InvariantViolation) as caught:
        leader.driver.kernel.run(Received(envelope, WALL_MS))
    return str(caught.value)


def test_the_step_that_violated_an_invariant_violates_it_again() -> None:
    rig = _rig()
    said = _usurped(rig)
    last = _replayed(_taken(rig.nodes[0]))[-1]
    assert last.difference is None
    assert last.raised == last.step.raised == f"InvariantViolation: {said}"


def test_after_a_violation_nothing_steps_the_core_again() -> None:
    rig = _rig()
    _usurped(rig)
    node = rig.nodes[0]
    before, sent = len(_taken(node).generations[0].steps), len(rig.mail)
    node.driver.tick()
    node.driver.flush()
    assert node.driver.kernel.core is None
    assert len(_taken(node).generations[0].steps) == before
    assert len(rig.mail) == sent


def test_a_stopped_member_still_tells_what_it_did() -> None:
    node = _rig().nodes[0]
    node.driver.close()
    assert _replayed(_taken(node))


def test_what_a_founding_core_begins_with_is_recorded() -> None:
    rig = Rig(1)
    assert rig.nodes[0].driver.kernel.core is None
    answers = Answers()
    rig.found(voters=1)
    assert not answers and _replayed(_taken(rig.nodes[0]))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: b"", "no recording"),
        (lambda data: data[:10], "no recording"),
        (lambda data: b"X" + data[1:], "no recording"),
        (lambda data: data[:8] + b"\0\x09" + data[10:], "version 9; this build knows 1"),
        (lambda data: data[:-1], "it is cut"),
        (lambda data: data + b"x", "it is cut"),
        (lambda data: data[:-5] + b"\xff" + data[-4:], "checksum"),
    ],
)
def test_a_recording_that_is_not_whole_is_refused(
    damage: Callable[[bytes], bytes], said: str
) -> None:
    data = _rig().nodes[0].driver.recording(build="b", why="asked")
    with pytest.raises(RecordingUnsound, match=said):
        unpack(damage(data))


def test_nonsense_behind_a_sound_checksum_is_refused() -> None:
    recording = _taken(_rig().nodes[0])
    first = recording.generations[0]
    for checkpoint, steps in ((b"\x01", []), (b"", []), (first.checkpoint, [b"\x93\x63\xc0\xc0"])):
        changed = msgspec.structs.replace(first, checkpoint=checkpoint, steps=steps)
        packed = pack(msgspec.structs.replace(recording, generations=[changed]))
        with pytest.raises(RecordingUnsound, match="makes no sense"):
            list(replay(unpack(packed)))


def test_a_step_cut_anywhere_is_refused_not_guessed() -> None:
    step = encode(PeerUp(_rig().nodes[0].member), ())
    assert decode(step).event == PeerUp(_rig().nodes[0].member)
    for end in range(len(step)):
        with pytest.raises(StepUnsound):
            decode(step[:end])
