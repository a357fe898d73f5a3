"""The core's words as text: one line per status, event, effect or message.

For scenario files, traces and failure messages, so that what a reader sees is what the core said
and nothing else. Equal values make equal lines; nothing depends on hashes or addresses.

Decides: the spelling. Must not know: why something happened; who reads it.
Read next: effects.py, tests/scenario (the files made of these lines).
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

from replog_node.model.configuration import Configuration, Member
from replog_node.model.entries import Entry
from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import MemberId, Position
from replog_node.raft.effects import (
    Accepted,
    Commit,
    ConfigurationActive,
    Effect,
    FetchSnapshot,
    HandingOver,
    InstallSnapshot,
    MemberRemoved,
    Persist,
    ReadEntries,
    ReadFailed,
    ReadReady,
    Rejected,
    RoleChanged,
    Send,
    TransferEnded,
)
from replog_node.raft.events import (
    ClockAcknowledged,
    DiskState,
    EntriesRead,
    Event,
    HardState,
    LevelRequested,
    PeerDown,
    PeerSpeaks,
    PeerUp,
    Persisted,
    Proposed,
    ReadRequested,
    Received,
    SnapshotFetched,
    SnapshotKept,
    TargetRequested,
    Tick,
    TransferRequested,
)
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    CoreMessage,
    Heartbeat,
    HeartbeatReply,
    ReadIndexReply,
    ReadIndexRequest,
    RequestVote,
    SnapshotOffer,
    TimeoutNow,
    VoteReply,
)
from replog_node.raft.state import CoreStatus


def render_status(status: CoreStatus) -> str:
    """`1 follower t2 leader=3 log=0..4 commit=4`; a log that isn't wholly durable says how far."""
    begins = status.start.offset + 1
    log = "empty" if status.last.offset < begins else f"{begins}..{status.last.offset}"
    if log == "empty" and begins:
        log = f"empty@{begins}"
    words = [status.member, f"{status.role:8}", f"t{status.term}"]
    if status.leader is not None and status.leader != status.member:
        words.append(f"leader={status.leader}")
    words += [f"log={log}", f"commit={status.commit.offset}"]
    if status.durable != status.last:
        words.append(f"durable={status.durable.offset}")
    if status.transferring is not None:
        words.append(f"transferring={status.transferring}")
    return " ".join(words)


def render_event(member: MemberId, event: Event) -> str:
    """What a member is told, after its name."""
    match event:
        case Tick(now_ms=now_ms):
            said = f"tick {now_ms} ms"
        case Received(envelope=envelope):
            return render_message(envelope.sender, member, envelope.message)
        case Proposed(payload=payload):
            said = f"proposed {payload.count}"
        case Persisted(ticket=ticket):
            said = f"persisted #{ticket}"
        case EntriesRead(follower=follower, entries=entries):
            said = f"read for {follower}: {'nothing' if entries is None else _entries(entries)}"
        case PeerUp(member=peer):
            said = f"peer {peer} up"
        case PeerDown(member=peer):
            said = f"peer {peer} down"
        case PeerSpeaks(member=peer, feature_level=level):
            said = f"peer {peer} speaks level {level}"
        case ReadRequested(context=context):
            said = f"read {context} requested"
        case TargetRequested(target=target):
            said = f"target {_members(target.members)} requested by {target.operation}"
        case LevelRequested(feature_level=level):
            said = f"level {level} requested"
        case TransferRequested(to=to):
            said = f"transfer to {to or 'the best'} requested"
        case ClockAcknowledged():
            said = "clock acknowledged"
        case SnapshotFetched(snapshot=snapshot):
            said = f"snapshot {_position(snapshot.position)} fetched"
        case SnapshotKept(base=base, start=start):
            said = f"keeps snapshot {_position(base.position)}, log starts at {_position(start)}"
        case DiskState():
            said = f"disk {_disk(event)}"
        case _:
            assert_never(event)
    return f"{member} {said}"


def render_effect(member: MemberId, effect: Effect) -> str:
    """What a member asks for, after its name; a message waits where it says `after #ticket`."""
    if isinstance(effect, Send):
        wait = f" after #{effect.after_ticket}" if effect.after_ticket else ""
        return render_message(member, effect.to, effect.message) + wait
    return f"{member} {_effect(effect)}"


def _effect(effect: Effect) -> str:
    match effect:
        case Persist():
            return _persist(effect)
        case InstallSnapshot(ticket=ticket, snapshot=snapshot):
            return f"installs #{ticket} snapshot {_position(snapshot.position)}"
        case FetchSnapshot(snapshot=snapshot, source=source):
            return f"fetches snapshot {_position(snapshot.position)} of {source}"
        case Commit(position=position):
            return f"commits {position.offset}"
        case ReadEntries(follower=follower, after=after):
            return f"reads after {_position(after)} for {follower}"
        case ReadReady(context=context, index=index):
            return f"read {context} ready at {index}"
        case ReadFailed(context=context):
            return f"read {context} failed"
        case Accepted(entry=entry):
            return f"accepted as {_entry(entry)}"
        case Rejected(reason=reason, detail=detail):
            return f"rejected {reason.value}" + (f": {detail}" if detail else "")
        case TransferEnded(to=to, done=done):
            return f"transfer to {to} {'done' if done else 'failed'}"
        case HandingOver(to=to, why=why):
            return f"hands over to {to}: {why}"
        case RoleChanged():
            return _role(effect)
        case ConfigurationActive(offset=offset, configuration=configuration):
            return f"configuration {offset} {render_configuration(configuration)}"
        case MemberRemoved(at=at):
            return f"removed at {at}"
        case Send():
            raise TypeError("a Send names two members; render_effect spells it")
        case _:
            assert_never(effect)


def _persist(effect: Persist) -> str:
    words = [f"persists #{effect.ticket}"]
    if effect.hard_state is not None:
        words.append(_hard_state(effect.hard_state))
    if effect.truncate_to is not None:
        words.append(f"cut to {_position(effect.truncate_to)}")
    if effect.entries:
        words.append(_entries(effect.entries))
    return " ".join(words)


def _role(effect: RoleChanged) -> str:
    follows = "" if effect.leader is None or effect.role == "leader" else f" of {effect.leader}"
    return f"is {effect.role}{follows} t{effect.term}"


def render_message(sender: MemberId, to: MemberId, message: CoreMessage) -> str:
    """`1 → 2 AppendEntries t2 prev=(2,4) 5..5 commit=4`. Sessions and clocks are left out."""
    return f"{sender} → {to} {type(message).__name__} t{message.term}{_message(message)}"


def _message(message: CoreMessage) -> str:
    match message:
        case RequestVote(last=last, pre=pre, transfer=transfer):
            flags = (" pre" if pre else "") + (" transfer" if transfer else "")
            return f"{flags} last={_position(last)}"
        case VoteReply(granted=granted, pre=pre):
            return f"{' pre' if pre else ''} {'granted' if granted else 'refused'}"
        case AppendEntries(prev=prev, commit=commit, entries=entries):
            held = f" {_entries(entries)}" if entries else ""
            return f" prev={_position(prev)}{held} commit={commit}"
        case AppendReply(ok=True, match=match, full=full):
            return f" ok match={match.offset}" + (" full" if full else "")
        case AppendReply(hint=hint):
            return f" differs hint={_position(hint)}"
        case SnapshotOffer(snapshot=snapshot):
            return f" snapshot={_position(snapshot.position)}"
        case Heartbeat(commit=commit, round=number):
            return f" round={number} commit={commit}"
        case HeartbeatReply():
            return f" round={message.round}{_answered_disk(message)}"
        case TimeoutNow():
            return ""
        case ReadIndexRequest(context=context):
            return f" read={context}"
        case ReadIndexReply(context=context, ok=ok, index=index):
            return f" read={context} {f'index={index}' if ok else 'refused'}"
        case _:
            assert_never(message)


def _disk(state: DiskState) -> str:
    words = [f"{state.free_bytes} free"]
    words += [name for name in ("low", "full", "lacking") if getattr(state, name)]
    if state.first_hole is not None:
        words.append(f"hole at {state.first_hole}")
    if state.unproven is not None:
        words.append(f"unproven to {_position(state.unproven)}")
    return " ".join(words)


def _answered_disk(reply: HeartbeatReply) -> str:
    flags = {"low": reply.low, "full": reply.full, "damaged": not reply.whole}
    return "".join(f" {name}" for name, true in flags.items() if true)


def render_configuration(configuration: Configuration) -> str:
    """`{1,2,3}`, `{1,2,3}→{2,3}` while joint, `+{4}` for learners, `!{2,3} op` for the target.

    `level 2`: of features, where it was raised.
    """
    text = _members(configuration.voters)
    if configuration.joint:
        text = f"{_members(configuration.outgoing)}→{text}"
    if configuration.learners:
        text += f" +{_members(configuration.learners)}"
    target = configuration.target
    if target is not None and target.operation not in configuration.done:
        text += f" !{_members(target.members)} {target.operation}"
    if configuration.feature_level != FIRST_LEVEL:
        text += f" level {configuration.feature_level}"
    return text


def _entries(entries: Sequence[Entry]) -> str:
    changes = [render_configuration(e.configuration) for e in entries if e.configuration]
    return " ".join([f"{entries[0].base}..{entries[-1].last}", *changes]) if entries else "nothing"


def _entry(entry: Entry) -> str:
    return f"{_entries((entry,))} t{entry.term}"


def _hard_state(state: HardState) -> str:
    return f"t{state.current_term} vote={state.voted_for or 'none'}"


def _position(position: Position) -> str:
    return f"({position.term},{position.offset})"


def _members(members: Iterable[Member]) -> str:
    return "{" + ",".join(sorted(member.id for member in members)) + "}"
