"""One step of a core as bytes: what it was told, and what it asked for.

A step is a MessagePack array: {number of the event's kind, event, what was raised or nil, then
number and value of each effect}. Of a frame only its length is kept, of a batch nothing: the core
looks at neither, so a record's bytes never come into a file that leaves the machine.

Decides: that form, in both directions; equal effects make equal bytes.
Must not know: where steps are kept.
Read next: flight.py (who keeps them), replay.py (who runs them again).
"""

from collections.abc import Callable, Sequence
from struct import Struct, error
from typing import Any, Final

import msgspec

from replog_node.model.controls import CONTROL_TYPES, Control
from replog_node.model.entries import Entry, Payload
from replog_node.raft import effects as asked
from replog_node.raft import events as told
from replog_node.raft.effects import Accepted, Effect, Persist, Send
from replog_node.raft.events import EntriesRead, Event, Proposed, Received
from replog_node.raft.messages import AppendEntries, Envelope


class Proposal(msgspec.Struct, frozen=True):
    """A Proposed as it is kept. controls: (type, version, fields), in order."""

    controls: list[tuple[int, int, msgspec.Raw]]
    records: int
    now_ms: int


EVENTS: Final[dict[int, type[Any]]] = {
    1: told.Tick,
    2: told.Received,
    3: Proposal,
    4: told.Persisted,
    5: told.EntriesRead,
    6: told.PeerUp,
    7: told.PeerDown,
    8: told.ReadRequested,
    9: told.TargetRequested,
    10: told.TransferRequested,
    11: told.ClockAcknowledged,
    12: told.SnapshotFetched,
    13: told.SnapshotKept,
    14: told.DiskState,
    15: told.PeerSpeaks,
    16: told.LevelRequested,
}
"""What an event's number says that it is. A number is never used again."""

EFFECTS: Final[dict[int, type[Any]]] = {
    1: asked.Persist,
    2: asked.InstallSnapshot,
    3: asked.FetchSnapshot,
    4: asked.Send,
    5: asked.Commit,
    6: asked.ReadEntries,
    7: asked.ReadReady,
    8: asked.ReadFailed,
    9: asked.Accepted,
    10: asked.Rejected,
    11: asked.TransferEnded,
    12: asked.HandingOver,
    13: asked.RoleChanged,
    14: asked.ConfigurationActive,
    15: asked.MemberRemoved,
}
"""What an effect's number says that it is."""

_EVENT_NUMBERS: Final = {kind: number for number, kind in EVENTS.items()} | {Proposed: 3}
_EFFECT_NUMBERS: Final = {kind: number for number, kind in EFFECTS.items()}

_MAY_CARRY: Final = frozenset((Received, Proposed, EntriesRead, Persist, Send, Accepted))
"""What may have entries or batches in it."""

_SIZE: Final = Struct(">I")
_ENCODER: Final = msgspec.msgpack.Encoder()
_ITEMS: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])
_NUMBER: Final = msgspec.msgpack.Decoder(int)
_RAISED: Final = msgspec.msgpack.Decoder(str | None)
_CONTROL_DECODERS: Final[dict[tuple[int, int], msgspec.msgpack.Decoder[Control]]] = {
    key: msgspec.msgpack.Decoder(kind) for kind, key in CONTROL_TYPES.items()
}
_EVENT_DECODERS: Final = {number: msgspec.msgpack.Decoder(kind) for number, kind in EVENTS.items()}
_EFFECT_DECODERS: Final = {
    number: msgspec.msgpack.Decoder(kind) for number, kind in EFFECTS.items()
}
_NONSENSE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, error)
"""What decoding raises for bytes that are no step."""


class StepUnsound(ValueError):
    """These bytes are no step that this build understands."""


class Omitted(bytes):
    """A frame that isn't here; its length is that of the frame. Nothing may read it."""

    _size: int

    @classmethod
    def of(cls, size: int) -> "Omitted":
        """In place of a frame of so many bytes."""
        omitted = cls()
        omitted._size = size
        return omitted

    def __len__(self) -> int:
        return self._size


class Step(msgspec.Struct, frozen=True):
    """What happened in one step. raised: the exception that ended the core, which had no effects.

    The entries' frames are Omitted; said: the effects' bytes, to compare them.
    """

    event: Event
    raised: str | None
    effects: tuple[Effect, ...]
    said: tuple[bytes, ...]

    @property
    def persisted(self) -> tuple[Entry, ...]:
        """The entries that were written, in order."""
        writes = (effect for effect in self.effects if isinstance(effect, Persist))
        return tuple(entry for write in writes for entry in write.entries)


def encode(event: Event, effects: Sequence[Effect], raised: str | None = None) -> bytes:
    """The step as bytes. This is the hot path: most of what passes has no entries."""
    items: list[object] = [
        _EVENT_NUMBERS[type(event)],
        _bare_event(event) if type(event) in _MAY_CARRY else event,
        raised,
    ]
    for effect in effects:
        items.append(_EFFECT_NUMBERS[type(effect)])
        items.append(_effect_of(effect, _bare) if type(effect) in _MAY_CARRY else effect)
    return _ENCODER.encode(items)


def encode_effect(effect: Effect) -> bytes:
    """One effect as it stands in a step."""
    return _ENCODER.encode((_EFFECT_NUMBERS[type(effect)], _effect_of(effect, _bare)))


def decode(data: bytes) -> Step:
    """The step that these bytes are; raises StepUnsound."""
    try:
        number, event, raised, *said = _ITEMS.decode(data)
        pairs = list(zip(said[::2], said[1::2], strict=True))
        effects = tuple(_effect(kind, value) for kind, value in pairs)
        return Step(
            _event(number, event),
            _RAISED.decode(raised),
            effects,
            tuple(encode_effect(effect) for effect in effects),
        )
    except (*_NONSENSE, ValueError) as problem:
        raise StepUnsound(f"{type(problem).__name__}: {problem}") from problem


def _event(number: msgspec.Raw, value: msgspec.Raw) -> Event:
    event = _EVENT_DECODERS[_NUMBER.decode(number)].decode(value)
    return _proposed(event) if isinstance(event, Proposal) else _event_of(event, _filled)


def _effect(number: msgspec.Raw, value: msgspec.Raw) -> Effect:
    decoder = _EFFECT_DECODERS[_NUMBER.decode(number)]
    return _effect_of(decoder.decode(value), _filled)


# Frames.

_PER_ENTRY = Callable[[Entry], Entry]
"""What follows copies field by field, which is twice as fast as msgspec.structs.replace; a test
counts the fields (tests/unit/driver/test_flightsteps.py)."""


def _bare(entry: Entry) -> Entry:
    """The entry with its frame's length in place of the frame."""
    return Entry(
        entry.base,
        entry.last,
        entry.term,
        entry.append_time_ms,
        entry.chain,
        _SIZE.pack(len(entry.frame)),
        entry.configuration,
    )


def _filled(entry: Entry) -> Entry:
    (size,) = _SIZE.unpack(entry.frame)
    return msgspec.structs.replace(entry, frame=Omitted.of(size))


def _bare_event(event: Event) -> Event | Proposal:
    return _proposal(event) if isinstance(event, Proposed) else _event_of(event, _bare)


def _proposal(event: Proposed) -> Proposal:
    controls = [
        (*CONTROL_TYPES[type(control)], msgspec.Raw(_ENCODER.encode(control)))
        for control in event.payload.controls
    ]
    return Proposal(controls, event.payload.records, event.now_ms)


def _proposed(kept: Proposal) -> Proposed:
    controls: list[Control] = [
        _CONTROL_DECODERS[kind, version].decode(fields) for kind, version, fields in kept.controls
    ]
    return Proposed(Payload(tuple(controls), (), kept.records), kept.now_ms)


def _event_of(event: Event, per_entry: _PER_ENTRY) -> Event:
    """The event with something else in place of each entry."""
    if isinstance(event, Received):
        message = event.envelope.message
        if not isinstance(message, AppendEntries) or not message.entries:
            return event
        envelope = event.envelope
        replaced = Envelope(
            envelope.sender,
            envelope.to,
            envelope.incarnation,
            envelope.to_incarnation,
            _append_of(message, per_entry),
        )
        return Received(replaced, event.now_ms)
    if isinstance(event, EntriesRead) and event.entries:
        return EntriesRead(event.follower, event.after, tuple(map(per_entry, event.entries)))
    return event


def _effect_of(effect: Effect, per_entry: _PER_ENTRY) -> Effect:
    """The effect with something else in place of each entry."""
    if isinstance(effect, Send):
        message = effect.message
        if not isinstance(message, AppendEntries) or not message.entries:
            return effect
        bare = _append_of(message, per_entry)
        return Send(effect.to, bare, effect.after_ticket, effect.to_incarnation)
    if isinstance(effect, Persist) and effect.entries:
        entries = tuple(map(per_entry, effect.entries))
        return Persist(effect.ticket, effect.hard_state, effect.truncate_to, entries)
    if isinstance(effect, Accepted):
        return Accepted(per_entry(effect.entry))
    return effect


def _append_of(message: AppendEntries, per_entry: _PER_ENTRY) -> AppendEntries:
    entries = tuple(map(per_entry, message.entries))
    return AppendEntries(message.term, message.session, message.prev, message.commit, entries)
