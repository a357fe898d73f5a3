"""One step as bytes (replog_node/driver/flightsteps.py): nothing is lost but what frames hold."""

from typing import Any, get_args

import msgspec
import pytest

from replog_node.driver.flightsteps import (
    EFFECTS,
    EVENTS,
    Omitted,
    Proposal,
    StepUnsound,
    decode,
    encode,
)
from replog_node.model.configuration import Configuration, Member
from replog_node.model.controls import CONTROL_TYPES, ConfigurationChanged, TermStarted
from replog_node.model.entries import Entry, Payload
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.effects import Accepted, Effect, Persist, Send
from replog_node.raft.events import EntriesRead, Event, HardState, PeerUp, Proposed, Received
from replog_node.raft.messages import AppendEntries, Envelope, Incarnation

A, B = MemberId("a"), MemberId("b")
CONFIGURATION = Configuration((Member(A, "h:1"),))
ENTRY = Entry(Offset(7), Offset(9), Term(2), 11, b"c" * 16, b"f" * 300, CONFIGURATION)
APPEND = AppendEntries(Term(2), 3, Position(Term(1), Offset(6)), Offset(5), (ENTRY,))
RUN, ASKED = Incarnation(4, 5), Incarnation(6, 7)


def _again(event: Event, *effects: Effect) -> tuple[Event, tuple[Effect, ...]]:
    """The step by way of its bytes."""
    step = decode(encode(event, effects))
    return step.event, step.effects


def _entry_without_frame() -> Entry:
    return msgspec.structs.replace(ENTRY, frame=Omitted.of(300))


def test_every_event_and_effect_has_a_number() -> None:
    assert set(get_args(Event)) == set(EVENTS.values()) - {Proposal} | {Proposed}
    assert set(get_args(Effect)) == set(EFFECTS.values())


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Entry, "base last term append_time_ms chain frame configuration"),
        (AppendEntries, "term session prev commit entries"),
        (Envelope, "sender to incarnation to_incarnation message"),
        (Received, "envelope now_ms"),
        (EntriesRead, "follower after entries"),
        (Proposed, "payload now_ms"),
        (Payload, "controls batches records"),
        (Send, "to message after_ticket to_incarnation"),
        (Persist, "ticket hard_state truncate_to entries"),
        (Accepted, "entry"),
    ],
)
def test_what_is_copied_field_by_field_has_no_other_fields(kind: Any, fields: str) -> None:
    """A new field must be copied in flightsteps.py, too; then add it here."""
    assert " ".join(kind.__struct_fields__) == fields


def test_entries_keep_all_but_their_frames_wherever_they_are() -> None:
    bare = (_entry_without_frame(),)
    append = msgspec.structs.replace(APPEND, entries=bare)
    cut = Position(Term(1), Offset(3))
    told = Received(Envelope(A, B, RUN, ASKED, APPEND), 12)
    event, effects = _again(
        told,
        Send(B, APPEND, 8, ASKED),
        Persist(9, HardState(Term(2), A), cut, (ENTRY,)),
        Accepted(ENTRY),
    )
    assert event == Received(Envelope(A, B, RUN, ASKED, append), 12)
    assert effects == (
        Send(B, append, 8, ASKED),
        Persist(9, HardState(Term(2), A), cut, bare),
        Accepted(bare[0]),
    )
    read = EntriesRead(A, cut, (ENTRY,))
    assert _again(read) == (EntriesRead(A, cut, bare), ())
    assert _again(EntriesRead(A, cut, None)) == (EntriesRead(A, cut, None), ())


def test_an_omitted_frame_is_as_long_as_the_frame_was() -> None:
    _, (accepted,) = _again(PeerUp(A), Accepted(ENTRY))
    assert isinstance(accepted, Accepted)
    assert accepted.entry.size_bytes == 300
    assert encode(PeerUp(A), [accepted]) == encode(PeerUp(A), [Accepted(ENTRY)])


def test_a_proposal_keeps_controls_and_counts_and_no_batch() -> None:
    controls = (TermStarted(A), ConfigurationChanged("found", "op", CONFIGURATION))
    payload = Payload(controls, (b"data" * 9,), 3)
    event, _ = _again(Proposed(payload, 5))
    assert event == Proposed(Payload(controls, (), 3), 5)
    assert b"data" not in encode(Proposed(payload, 5), ())


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_a_control_record_of_every_kind_can_be_kept(kind: Any) -> None:
    control = msgspec.convert(_fields(kind), kind)
    assert _again(Proposed(Payload((control,)), 1)) == (Proposed(Payload((control,)), 1), ())


def _fields(kind: Any) -> dict[str, Any]:
    """Something for each field of a control."""
    samples: dict[Any, Any] = {int: 3, str: "s", Configuration: CONFIGURATION}
    found = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "lineage":
            found[field.name] = {"number": 1, "identity": "i"}
        else:
            found[field.name] = samples[getattr(field.type, "__supertype__", field.type)]
    return found


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc0", b"\x90", b"\x93\x63\xc0\xc0", b"\x94\x06\xc0\xc0\x01", b"\x93\xa1a\xc0\xc0"],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(StepUnsound):
        decode(data)
