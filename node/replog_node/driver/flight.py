"""The flight recorder: what a member's core was told and asked for, as far back as there is room.

The ring is two generations. Each begins with a checkpoint of the core, from which the steps after
it can be run again; when one is full the next begins, and the one before the last is let go of.
Steps are kept as bytes, so that what they cost is known exactly and nothing is kept alive by them.

Decides: what is kept, for how long, and the form of a recording (docs/on-disk.md has the table).
Must not know: files, who asks for a recording.
Read next: flightsteps.py (a step as bytes), replay.py (running it again).
"""

from struct import Struct
from typing import Final

import msgspec
from google_crc32c import value as crc32c

from replog_node.driver.flightsteps import encode
from replog_node.raft import checkpoint
from replog_node.raft.core import Core
from replog_node.raft.effects import Effect
from replog_node.raft.events import Event

MAGIC: Final = b"RLflight"
VERSION: Final = 1
"""Of the form of a recording; another one is refused."""

RECORDING_BYTES_MAX: Final = 512 * 1024 * 1024
"""A larger recording isn't read."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_HEAD: Final = Struct(">8sHHIQ")


class RecordingUnsound(ValueError):
    """These bytes are not a whole recording that this build understands."""


class Generation(msgspec.Struct):
    """A checkpoint (raft.checkpoint.Checkpoint), and the steps after it (flightsteps.py)."""

    checkpoint: bytes
    steps: list[bytes]


class Recording(msgspec.Struct, frozen=True):
    """What the ring held. build: of the program; at_ms: wall clock; why: what it was taken for.

    The second generation begins where the first one ends. dropped: how many steps came before.
    """

    build: str
    why: str
    at_ms: int
    dropped: int
    generations: list[Generation]


class Flight:
    """The ring of one core. generation_bytes: of each of its two generations; 0: nothing is kept.

    A generation may exceed it by one step, and by its checkpoint.
    """

    def __init__(self, generation_bytes: int) -> None:
        self._bytes_max = generation_bytes
        self._before: Generation | None = None
        self._now: Generation | None = None
        self._bytes = 0
        self._dropped = 0

    def begin(self, core: Core) -> None:
        """A core begins: what another one did before is let go of."""
        self._before = self._now = None
        self._dropped = 0
        if self._bytes_max:
            self._begin_generation(core)

    def step(self, core: Core, event: Event) -> list[Effect]:
        """Step the core, and remember it; raises what the step raises."""
        now = self._now
        if now is None:
            return core.step(event)
        try:
            effects = core.step(event)
        except Exception as problem:
            now.steps.append(encode(event, (), said_of(problem)))
            raise
        step = encode(event, effects)
        now.steps.append(step)
        self._bytes += len(step)
        if self._bytes >= self._bytes_max:
            self._begin_generation(core)
        return effects

    def _begin_generation(self, core: Core) -> None:
        if self._before is not None:
            self._dropped += len(self._before.steps)
        self._before = self._now
        self._now = Generation(_ENCODER.encode(checkpoint.take(core)), [])
        self._bytes = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is kept: there was no core, or it isn't wanted."""
        return self._now is None

    def recording(self, *, build: str, why: str, at_ms: int) -> bytes:
        """All that is kept, as bytes; without a generation if no core has begun."""
        kept = [each for each in (self._before, self._now) if each is not None]
        return pack(Recording(build, why, at_ms, self._dropped, kept))


def said_of(problem: Exception) -> str:
    """How a step's end by an exception is remembered."""
    return f"{type(problem).__name__}: {problem}"


def pack(recording: Recording) -> bytes:
    """The recording as bytes."""
    body = _ENCODER.encode(recording)
    return _HEAD.pack(MAGIC, VERSION, 0, crc32c(body), len(body)) + body


def unpack(data: bytes) -> Recording:
    """The recording that these bytes are; raises RecordingUnsound."""
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise RecordingUnsound("this is no recording of a flight recorder")
    _, version, _, checksum, length = _HEAD.unpack_from(data)
    if version != VERSION:
        raise RecordingUnsound(f"a recording of version {version}; this build knows {VERSION}")
    body = data[_HEAD.size :]
    if len(body) != length:
        raise RecordingUnsound(f"it is cut: {len(body)} of {length} bytes are here")
    if crc32c(body) != checksum:
        raise RecordingUnsound("it is damaged: the checksum doesn't match")
    try:
        return msgspec.msgpack.decode(body, type=Recording)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise RecordingUnsound(f"its parts make no sense: {problem}") from problem
