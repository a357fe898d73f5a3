"""What this member waits for, by name: /v1/why, conditions and metrics say the same words.

Decides: which facts are a wait, and since when each lasts.
Must not know: what a wait means to people (replog/wire/codes.py has its row).
Read next: ../../replog/wire/codes.py.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from replog.wire.codes import row
from replog.wire.schemas import Wait
from replog_node.driver.space import short_of_space
from replog_node.driver.standing import Standing
from replog_node.model.configuration import Configuration, Member
from replog_node.model.positions import MemberId, Offset
from replog_node.raft.effects import Reason
from replog_node.raft.state import CoreStatus
from replog_node.storage.summary import Hole

DISK_STALLED_S: Final = 2.0
"""A write that the disk hasn't confirmed for so long is a wait; an ordinary stall is shorter."""

DISK_SLOW_S: Final = 0.5
"""As DISK_STALLED_S, for what may pass: no sound disk takes so long to sync."""

_STANDING: Final = {
    Standing.REMOVED: "Removed",
    Standing.FENCED: "Fenced",
    Standing.STOPPING: "Stopping",
    Standing.UNASSIGNED: "Unassigned",
}


class Facts(msgspec.Struct, frozen=True):
    """What is known at one moment. core: None while the member has no core.

    stuck: for how long each of the others, while this one leads, acknowledges nothing (stuck.py).
    """

    standing: Standing
    core: CoreStatus | None
    applied: Offset
    committed: Offset
    admitting: Reason | None
    write_waits_s: float
    caught_up: bool
    unreadable: bool = False
    data_dir: str = ""
    stuck: dict[MemberId, float] = {}
    diverged: Mapping[MemberId, Offset] = {}
    fetching: str = ""
    holes: tuple[Hole, ...] = ()
    unfillable: bool = False
    retention_held: str = ""


class Waits:
    """Remembers since when each wait lasts."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._evidence: dict[str, str] = {}

    def observe(self, facts: Facts, now_s: float) -> None:
        """Look at the facts; called once a tick."""
        found = dict(waits_of(facts))
        self._since_s = {code: self._since_s.get(code, now_s) for code in found}
        self._evidence = found

    def all(self, now_s: float) -> list[Wait]:
        """Every wait with its row's words, worst first."""
        return [
            Wait(code, row(code).meaning, row(code).next, now_s - since_s, self._evidence[code])
            for code, since_s in self._since_s.items()
        ]


def waits_of(facts: Facts) -> Iterator[tuple[str, str]]:
    """Return (code, evidence) of every wait, worst first. Pure."""
    if facts.standing is not Standing.MEMBER:
        yield _STANDING[facts.standing], f"the member is {facts.standing.value}"
    yield from _of_disks(facts)
    if facts.unreadable:
        yield "LogUnreadable", f"the disk doesn't give offset {facts.applied + 1}"
    if facts.holes:
        hole = facts.holes[0]
        words = f"offsets {hole.start} to {hole.end} are lost in {hole.segment}"
        more = f", and {len(facts.holes) - 1} more holes" if len(facts.holes) > 1 else ""
        yield "UnfillableHole" if facts.unfillable else "HoleBeingFilled", words + more
    if facts.core is None or facts.standing in (Standing.REMOVED, Standing.FENCED):
        return  # the rest concerns members only
    if facts.diverged:
        told = ", ".join(f"{member} at {at}" for member, at in sorted(facts.diverged.items()))
        yield "StateDiverged", told
    if facts.fetching:
        yield "SnapshotTransfer", facts.fetching
    yield from _of_consensus(facts, facts.core)
    yield from _of_membership(facts.core)


def _of_disks(facts: Facts) -> Iterator[tuple[str, str]]:
    """Whose disk takes its time, or has no room. A code comes once, with all whom it concerns."""
    own = [f"{_own(facts)}: a write waits for {facts.write_waits_s:.1f} s"]
    stalled = own if facts.write_waits_s >= DISK_STALLED_S else []
    stalled += [
        f"member {member} answers, but acknowledges nothing for {seconds:.1f} s"
        for member, seconds in facts.stuck.items()
        if seconds >= DISK_STALLED_S
    ]
    if stalled:
        yield "DiskStalled", "; ".join(stalled)
    elif facts.write_waits_s >= DISK_SLOW_S:
        yield "DiskSlow", own[0]
    if facts.core is not None:
        short = [
            f"{_own(facts) if member == facts.core.member else f'member {member}'}: {words}"
            for member, words in short_of_space(facts.core)
        ]
        if short:
            yield "DiskFull", "; ".join(short)


def _own(facts: Facts) -> str:
    return f"this member, {facts.data_dir}" if facts.data_dir else "this member"


def _of_consensus(facts: Facts, core: CoreStatus) -> Iterator[tuple[str, str]]:
    if core.unproven:
        yield "Unproven", f"the log ends at {core.last.offset}; it has lost its end"
    if core.leader is None:
        yield "NoLeader", f"none is known in term {core.term}; role {core.role}"
    if facts.admitting is Reason.CLOCK_JUMP:
        yield "ClockJump", f"log time is {core.log_time_ms} ms"
    if facts.retention_held:
        yield "ClocksDisagree", facts.retention_held
    if not facts.caught_up:
        yield "NotCaughtUp", f"applied {facts.applied}, committed {facts.committed}"
    if core.transferring is not None:
        yield "Transferring", f"to {core.transferring}"


def _of_membership(core: CoreStatus) -> Iterator[tuple[str, str]]:
    configuration = core.configuration
    if configuration is None:
        return
    if not configuration.target_reached:
        yield "FirstTargetPending", f"{len(configuration.voters)} voters, {_goal(configuration)}"
    if configuration.joint:
        yield "ChangeInProgress", f"joint since offset {core.configuration_offset}"
    if core.role == "leader":
        yield from _of_peers(core, configuration)


def _goal(configuration: Configuration) -> str:
    if configuration.target is None:
        return "no target yet"
    return f"target of {len(configuration.target.members)}"


def _of_peers(core: CoreStatus, configuration: Configuration) -> Iterator[tuple[str, str]]:
    """What a leader knows of the others."""
    alive = {member for member, progress in core.progress.items() if progress.alive}
    target = _ids(configuration.target.members) if configuration.target is not None else ()
    missing = [m for m in target if m != core.member and m not in alive]
    if missing and set(target) != set(configuration.voter_ids()):
        yield "TargetMemberUnavailable", ", ".join(missing)
    behind = [
        m.id
        for m in configuration.learners
        if m.id in alive and core.progress[m.id].match.offset < core.commit.offset
    ]
    if behind:
        yield "LearnerBehind", ", ".join(behind)
    unable = [
        f"{m.id} speaks up to {core.spoken[m.id]}, the log is at {configuration.feature_level}"
        for m in configuration.members
        if core.spoken.get(m.id, configuration.feature_level) < configuration.feature_level
    ]
    if unable:
        yield "FeatureLevelUnsupported", "; ".join(unable)
    silent = [m.id for m in configuration.members if m.id != core.member and m.id not in alive]
    if silent:
        yield "PeerUnreachable", ", ".join(silent)


def _ids(members: tuple[Member, ...]) -> tuple[MemberId, ...]:
    return tuple(m.id for m in members)
