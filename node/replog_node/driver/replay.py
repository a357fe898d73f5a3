"""A recording run again: each step's event to a core restored from the checkpoint, and its effects
compared with those that were recorded, byte by byte.

What the framer makes of client data can't be made again, since the data isn't in the recording:
chain and length of such a frame are taken from the recorded write, everything else is made anew.
Of an entry that was cached when the recording began, place and length are known; the rest is taken
from the first recorded message that sends it. Where a generation ends, the core's whole memory is
compared with the next checkpoint.

Decides: what counts as the same. Must not know: files, terminals.
Read next: flight.py, flightsteps.py, ../raft/checkpoint.py.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from replog_node.driver.flight import Generation, Recording, RecordingUnsound, said_of
from replog_node.driver.flightsteps import Omitted, Step, StepUnsound, decode, encode_effect
from replog_node.frames.build import build_entry
from replog_node.frames.layout import CHAIN_BYTES
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft import checkpoint
from replog_node.raft.checkpoint import Checkpoint
from replog_node.raft.core import Core
from replog_node.raft.effects import Effect, Send
from replog_node.raft.messages import AppendEntries

_ENCODER: Final = msgspec.msgpack.Encoder()


class Outcome(msgspec.Struct, frozen=True):
    """One step as it was run again.

    number: from the first of the recording, which is 1. effects, raised: of this run. difference:
    how it differs from what was recorded, None if it doesn't.
    """

    number: int
    member: MemberId
    step: Step
    effects: Sequence[Effect]
    raised: str | None
    difference: str | None


def replay(recording: Recording, *, to_the_end: bool = False) -> Iterator[Outcome]:
    """Run a recording again, step by step, up to its end or the first difference.

    to_the_end: go on behind a difference, which may make others; an exception ends it in any case.
    Raises RecordingUnsound for what can't be run at all.
    """
    if not recording.generations:
        raise RecordingUnsound("it holds nothing: the member had no core, or its ring is off")
    parts = [_decoded(generation) for generation in recording.generations]
    framer, number = _Framer(), 0
    core = _restored(parts[0][0], framer, [step for _, steps in parts for step in steps])
    for index, (begins, steps) in enumerate(parts):
        following = parts[index + 1][0] if index + 1 < len(parts) else None
        for step in steps:
            number += 1
            outcome = _run(core, framer, step, number, begins.member)
            if following is not None and step is steps[-1] and outcome.difference is None:
                difference = _forgotten(core, following)
                outcome = msgspec.structs.replace(outcome, difference=difference)
            yield outcome
            if outcome.raised or (outcome.difference and not to_the_end):
                return


def _run(core: Core, framer: "_Framer", step: Step, number: int, member: MemberId) -> Outcome:
    framer.expect(step.persisted)
    effects, raised = list[Effect](), None
    try:
        effects = core.step(step.event)
    except Exception as problem:  # noqa: BLE001 (whatever ends a core is an outcome of its step)
        raised = said_of(problem)
    difference = _difference(step, effects, raised)
    return Outcome(number, member, step, effects, raised, difference)


def _difference(step: Step, effects: Sequence[Effect], raised: str | None) -> str | None:
    """What is different, in words; None if nothing is."""
    if raised != step.raised:
        return f"recorded: {step.raised or 'no exception'}; now: {raised or 'no exception'}"
    said = tuple(encode_effect(effect) for effect in effects)
    if said == step.said:
        return None
    same = 0
    while same < min(len(said), len(step.said)) and said[same] == step.said[same]:
        same += 1
    return f"effect {same + 1}: recorded: {_nth(step.effects, same)}; now: {_nth(effects, same)}"


def _nth(effects: Sequence[Effect], index: int) -> str:
    return repr(effects[index]) if index < len(effects) else "none"


def _forgotten(core: Core, recorded: Checkpoint) -> str | None:
    """What the core knows otherwise than the recorded one did; None if it knows the same."""
    mine = checkpoint.take(core)
    unlike = [
        name
        for name in Checkpoint.__struct_fields__
        if _ENCODER.encode(getattr(recorded, name)) != _ENCODER.encode(getattr(mine, name))
    ]
    if not unlike:
        return None
    return f"the effects are the same, the core's memory is not: {', '.join(unlike)}"


# What a recording holds.


def _decoded(generation: Generation) -> tuple[Checkpoint, list[Step]]:
    begins = _checkpoint_of(generation.checkpoint)
    try:
        return begins, [decode(step) for step in generation.steps]
    except StepUnsound as problem:
        raise RecordingUnsound(f"a step makes no sense: {problem}") from problem


def _checkpoint_of(data: bytes) -> Checkpoint:
    try:
        return msgspec.msgpack.decode(data, type=Checkpoint)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise RecordingUnsound(f"a checkpoint makes no sense: {problem}") from problem


def _restored(begins: Checkpoint, framer: "_Framer", steps: Sequence[Step]) -> Core:
    try:
        return checkpoint.restore(begins, framer, _cached(begins, steps))
    except Exception as problem:
        raise RecordingUnsound(f"no core goes on from its checkpoint: {problem}") from problem


def _cached(begins: Checkpoint, steps: Sequence[Step]) -> list[Entry]:
    """The entries in the cache: as far as they are known, and as they were sent afterwards."""
    sent = {entry.position: entry for entry in reversed(list(_sent(steps)))}
    bases, log = begins.cached.bases, begins.log
    ends = [*(base - 1 for base in bases[1:]), log.tail.position.offset][: len(bases)]
    terms = _terms(log.terms, log.starts, bases)
    found = []
    for base, end, term, size in zip(bases, ends, terms, begins.cached.sizes, strict=True):
        position = Position(term, Offset(end))
        known = sent.get(position) or Entry(base, Offset(end), term, 0, b"", Omitted.of(size))
        found.append(known)
    return found


def _terms(terms: Sequence[Term], starts: Sequence[Offset], bases: Sequence[Offset]) -> list[Term]:
    """The term of each entry; all three ascend."""
    found, index = [], 0
    for base in bases:
        while index + 1 < len(starts) and starts[index + 1] <= base:
            index += 1
        found.append(terms[index])
    return found


def _sent(steps: Iterable[Step]) -> Iterator[Entry]:
    for step in steps:
        for effect in step.effects:
            if isinstance(effect, Send) and isinstance(effect.message, AppendEntries):
                yield from effect.message.entries


class _Framer:
    """model.entries.Framer: what it made in the recorded step, if it is asked for the same."""

    def __init__(self) -> None:
        self._recorded: deque[Entry] = deque()

    def expect(self, recorded: Iterable[Entry]) -> None:
        """The entries that the recorded step wrote."""
        self._recorded = deque(recorded)

    def __call__(self, payload: Payload, term: Term, tail: Tail, append_time_ms: int) -> Entry:
        recorded = self._recorded.popleft() if self._recorded else None
        if not payload.records:
            return _measured(build_entry(payload, term, tail, append_time_ms))
        base = tail.position.offset + 1
        changes = [c for c in payload.controls if isinstance(c, ConfigurationChanged)]
        return Entry(
            Offset(base),
            Offset(base + payload.count - 1),
            term,
            append_time_ms,
            bytes(CHAIN_BYTES) if recorded is None else recorded.chain,
            Omitted.of(0 if recorded is None else len(recorded.frame)),
            changes[-1].configuration if changes else None,
        )


def _measured(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, frame=Omitted.of(len(entry.frame)))
