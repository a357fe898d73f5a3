"""Recordings of flight recorders that a run leaves: done again, and damaged or altered on purpose.

A core does the same again, and each step can be shown. A recording whose bytes are damaged is
refused. One that was altered with a right checksum is refused, or told by the step that differs.

Decides: how a recording is altered, and what must be told of it. Must not know: disks.
Read next: finale.py, replog_node/driver/replay.py.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from replog_node.driver.flight import Generation, Recording, RecordingUnsound, pack, unpack
from replog_node.driver.flightsteps import Step, decode, encode
from replog_node.driver.replay import replay
from replog_node.raft.render import render_effect, render_event
from tests.simulation.oracles.oracle import Broken

if TYPE_CHECKING:
    from tests.simulation.node import SimNode

DAMAGED: Final = 6
ALTERED_STEPS: Final = 200
"""Of an altered recording only so many steps are run again."""


def replayed(node: SimNode) -> Recording | None:
    """`replog debug replay` finds that a core does the same again; each step can be shown."""
    if node.driver is None:
        return None
    recording = unpack(node.driver.recording(build="", why="the end of a run"))
    if not recording.generations:
        _refused(node, pack(recording), "no generation")
        return None
    for outcome in replay(recording):
        if outcome.difference is not None:
            where = f"{node.name}, step {outcome.number}"
            raise Broken(f"the replay differs: {where}: {outcome.difference}", oracle="replay")
        lines = [render_event(outcome.member, outcome.step.event)]
        lines += [render_effect(outcome.member, effect) for effect in outcome.effects]
        if not all(lines):
            raise Broken(f"{node.name}, step {outcome.number}, can't be shown", oracle="replay")
    return recording


def damaged(node: SimNode, recording: Recording, random: Random) -> None:
    """Damaged bytes are refused; altered steps are told."""
    data = pack(recording)
    for _ in range(DAMAGED):
        at = random.choice((random.randrange(len(data)), random.randrange(24)))
        flipped = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
        if at not in PADDING:
            _refused(node, flipped, f"flipped at {at}")
        _refused(node, data[:at], f"cut at {at}")
    short = _shortened(recording)
    for alter in (_without_an_effect, _with_an_exception, _with_another_event):
        altered = alter(short, random)
        if altered is not None:
            _told(node, altered, alter.__name__)
    _garbled(node, short, random)
    _forgetful(node, recording)


FEW: Final = 20
"""Fewer steps may leave a core's memory as it was."""

PADDING: Final = range(10, 12)
"""Bytes of a recording's head that mean nothing yet."""


def _refused(node: SimNode, data: bytes, what: str) -> None:
    try:
        for _ in replay(unpack(data)):
            pass
    except RecordingUnsound:
        return
    raise Broken(f"{node.name}'s recording, {what}, is taken for whole", oracle="replay")


def _shortened(recording: Recording) -> Recording:
    first = recording.generations[0]
    begins = Generation(first.checkpoint, first.steps[:ALTERED_STEPS])
    return msgspec.structs.replace(recording, generations=[begins])


def _with_step(recording: Recording, at: int, step: bytes) -> Recording:
    first = recording.generations[0]
    steps = [*first.steps[:at], step, *first.steps[at + 1 :]]
    return msgspec.structs.replace(recording, generations=[Generation(first.checkpoint, steps)])


def _some_step(recording: Recording, random: Random) -> tuple[int, Step] | None:
    """One that asked for something."""
    steps = [decode(step) for step in recording.generations[0].steps]
    places = [at for at, step in enumerate(steps) if step.effects and step.raised is None]
    if not places:
        return None
    at = random.choice(places)
    return at, steps[at]


def _without_an_effect(recording: Recording, random: Random) -> Recording | None:
    found = _some_step(recording, random)
    if found is None:
        return None
    at, step = found
    return _with_step(recording, at, encode(step.event, step.effects[:-1]))


def _with_an_exception(recording: Recording, random: Random) -> Recording | None:
    found = _some_step(recording, random)
    if found is None:
        return None
    at, step = found
    return _with_step(recording, at, encode(step.event, (), "InvariantViolation: of another day"))


def _with_another_event(recording: Recording, random: Random) -> Recording | None:
    """Two steps that did different things change their events."""
    found, other = _some_step(recording, random), _some_step(recording, random)
    if found is None or other is None or found[1].said == other[1].said:
        return None
    if found[1].event == other[1].event or found[1].persisted or other[1].persisted:
        return None  # the same event may well have other effects elsewhere
    at, step = found
    return _with_step(recording, at, encode(step.event, other[1].effects))


def _told(node: SimNode, recording: Recording, what: str) -> None:
    """The replay ends with a difference, also when it goes on behind the first one."""
    altered = unpack(pack(recording))
    for to_the_end in (False, True):
        try:
            outcomes = list(replay(altered, to_the_end=to_the_end))
        except RecordingUnsound:
            return
        if all(outcome.difference is None for outcome in outcomes):
            raise Broken(f"{node.name}'s recording, {what}, replays as it is", oracle="replay")


def _garbled(node: SimNode, recording: Recording, random: Random) -> None:
    """Nonsense with a right checksum: refused or told or the same, and nothing else happens."""
    first = recording.generations[0]
    if not first.steps:
        return
    at = random.randrange(len(first.steps))
    step = first.steps[at]
    place = random.randrange(len(step))
    nonsense = step[:place] + bytes([random.randrange(256)]) + step[place + 1 :]
    for altered in (
        _with_step(recording, at, nonsense),
        _with_step(recording, at, step[:place]),
        msgspec.structs.replace(
            recording, generations=[Generation(first.checkpoint[:-place], first.steps)]
        ),
    ):
        try:
            for _ in replay(unpack(pack(altered))):
                pass
        except RecordingUnsound:
            continue


def _forgetful(node: SimNode, recording: Recording) -> None:
    """Half of the first generation ends with another memory than the second one begins with."""
    first, *others = recording.generations
    if not others or len(first.steps) < FEW:
        return
    half = Generation(first.checkpoint, first.steps[: len(first.steps) // 2])
    short = msgspec.structs.replace(recording, generations=[half, *others])
    outcomes = list(replay(unpack(pack(short))))
    if outcomes[-1].difference is None:
        raise Broken(f"{node.name}: half of its steps leave the same memory", oracle="replay")
