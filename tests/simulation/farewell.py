"""The last calls of a run, to a cluster that is well: what can't be is refused, and all may stop.

Nothing else is drawn or asked anew by this, so what a seed does before is what it did without it.

Decides: what is asked, and what may be answered. Must not know: what went on before.
Read next: finale.py, oracles/liveness.py.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final

from replog.wire.batches import NewRecord, build_batch
from replog.wire.limits import EXPIRES_AFTER_LEAST_MS
from replog.wire.problems import ApiError
from replog.wire.schemas import (
    AskedBy,
    BootstrapRequest,
    LevelRequest,
    MemberAddress,
    ProducerRequest,
    ProducerSession,
    SnapshotRequest,
    TargetRequest,
    TransferRequest,
    TrimRequest,
)
from replog_node.driver.wire import WireError, decode, encode
from tests.simulation.oracles.oracle import Broken

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.positions import MemberId
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

FAR: Final = 1 << 40
"""An offset that no log reaches."""

ANSWERED_WITHIN_S: Final = 4.0
STOPPED_WITHIN_S: Final = 2.0
PATIENCE_MS: Final = 2 * EXPIRES_AFTER_LEAST_MS
"""How far log time may be ahead of the clocks for a session's end to be waited for."""

INVALID: Final = frozenset(("invalid_target", "json_invalid", "stale_plan"))
"""A target that makes no sense; a leader that is sent on what doesn't parse says so."""


def ask_nonsense(world: World) -> None:
    """Each call is refused by its own code, at any member; raises Broken."""
    told: list[tuple[SimNode, Any, frozenset[str], list[Any]]] = []
    members = _members(world)
    for node in world.nodes:
        driver = node.able()
        if driver is None or driver.membership.refusal() is not None:
            continue  # one that belongs to nobody would take a founding for what it is
        if node.member not in members:
            continue  # it was removed and couldn't hear of it: nobody leads it
        deadline_s = driver.clock.monotonic_s() + ANSWERED_WITHIN_S - 1
        for request, codes in _nonsense(driver):
            answers: list[Any] = []
            told.append((node, request, codes, answers))
            if isinstance(request, BootstrapRequest):
                driver.bootstrap(request, answers.append)
            else:
                driver.call(request, answers.append, deadline_s=deadline_s)
        node.flush_soon()
    world.run(ANSWERED_WITHIN_S)
    for node, request, codes, answers in told:
        found = [a.code if isinstance(a, ApiError) else repr(a) for a in answers]
        if len(found) != 1 or not {*found} <= codes:
            raise Broken(f"{request} at {node.name} was answered {answers}", oracle="refusals")


def _members(world: World) -> frozenset[MemberId]:
    """Everybody whom a leader knows as a member."""
    leaders = (node for node in world.nodes if node.leads)
    known = (c for node in leaders for c in node.known_configurations())
    return frozenset(member.id for c in known for member in c.members)


def _nonsense(driver: Driver) -> list[tuple[Any, frozenset[str]]]:
    me = driver.kernel.member
    one, offset = MemberAddress(me, "m:1"), driver.status("sim", {}).configuration_offset
    wrong: tuple[list[MemberAddress], ...] = (
        [], [one, one], [MemberAddress(me, "")], [MemberAddress("", "m:1")],
        [MemberAddress(me, "m:1", priority=1 << 20)],
    )  # fmt: skip
    targets = [TargetRequest(members, "nonsense", offset) for members in wrong]
    targets.append(TargetRequest([one], "", offset))
    stale = TargetRequest([one], "nonsense", offset - 1)
    deposed = AskedBy(0, "somebody else")
    by_another = (
        TransferRequest(None, deposed), LevelRequest(1, deposed), SnapshotRequest(deposed),
    )  # fmt: skip
    return [
        *((request, frozenset(("other_holder",))) for request in by_another),
        *((target, INVALID) for target in targets),
        (stale, frozenset(("stale_plan",))),
        (TrimRequest(FAR), frozenset(("offset_out_of_range",))),
        (LevelRequest(0), frozenset(("feature_level_lower", "json_invalid"))),
        (LevelRequest(99), frozenset(("feature_level_unsupported", "feature_level_unknown"))),
        (TransferRequest("nobody"), frozenset(("unknown_member",))),
        (BootstrapRequest("a cluster", ""), frozenset(("body_invalid",))),
        (BootstrapRequest("a cluster", "again"), frozenset(("already_bootstrapped",))),
    ]


def garble(world: World, random: Random) -> None:
    """A message whose bytes are wrong is refused whole, or is one; whole ones mean the same."""
    for kind, data in sorted(world.samples.items()):
        if encode(decode(data)) != data:
            raise Broken(f"{kind} is other bytes once it was decoded", oracle="wire")
        wrong = [data[:at] for at in (random.randrange(len(data)), len(data) - 1, 1)]
        wrong += [data + b"\0" * count for count in (1, 4, 9)]
        for at in (*range(8), *(random.randrange(len(data)) for _ in range(8))):
            wrong.append(data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :])
        for each in wrong:
            with suppress(WireError):
                decode(each)


def let_expire(world: World) -> None:
    """A session that nobody appends with is forgotten by all, though nobody appends at all."""
    leader = next((node for node in world.nodes if node.leads and node.able()), None)
    if leader is None or leader.driver is None:
        return
    driver = leader.driver
    answers: list[Any] = []
    request = ProducerRequest("farewell", EXPIRES_AFTER_LEAST_MS)
    driver.call(request, answers.append, deadline_s=driver.clock.monotonic_s() + 3)
    leader.flush_soon()
    world.run(ANSWERED_WITHIN_S)
    if len(answers) != 1 or not isinstance(answers[0], ProducerSession):
        raise Broken(f"{leader.name} was asked for a session: {answers}", oracle="sessions")
    session = answers[0].producer_id
    knew = [node.name for node in world.nodes if _knows(node, session)]
    if leader.name not in knew:
        raise Broken(f"session {session} is known to {knew}, not to the leader", oracle="sessions")
    # Log time may be ahead of the clocks, which somebody set back: it goes on once they are there.
    left_ms = driver.applied.sessions[session].expires_ms - driver.clock.wall_ms()
    if left_ms > PATIENCE_MS:
        return
    world.run(left_ms / 1000 + ANSWERED_WITHIN_S)
    know = [node.name for node in world.nodes if _knows(node, session)]
    if know:
        raise Broken(f"session {session} is over, and is known to {know}", oracle="sessions")


def _knows(node: SimNode, session: int) -> bool:
    return node.driver is not None and session in node.driver.applied.sessions


def all_stop(world: World) -> None:
    """Each member in turn is asked to stop with a call on its way: it ends, and answers it."""
    for node in world.nodes:
        driver = node.able()
        if driver is None:
            continue
        answers: list[Any] = []
        deadline_s = driver.clock.monotonic_s() + 60
        batch = build_batch([NewRecord(f"last-{node.name}".encode())])
        driver.append(batch, answers.append, deadline_s=deadline_s)
        driver.read_index(answers.append, deadline_s=deadline_s)
        node.flush_soon()
        node.do(lambda driver: driver.begin_stop())
        world.run(STOPPED_WITHIN_S)
        driver.close()
        if len(answers) != 2:
            raise Broken(f"{node.name} stops, and 2 calls have {answers}", oracle="stopping")
        node.kill()
