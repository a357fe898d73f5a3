"""Holding the lease, against one that lies in memory (replog_operator/kube/election.py)."""

import asyncio
from typing import Any

import pytest

from replog.logs import Log
from replog_operator.kube.election import Election
from replog_operator.kube.fence import Deposed, Fence, since_boot_s
from replog_operator.kube.lease import Timing
from replog_operator.kube.ports import Refused, Unanswered

NAME = ("ns", "operator")
QUICK = Timing(duration_s=1.0, write_s=0.4, every_s=0.02, request_s=0.1)


class Server:
    """One lease, with the API server's rule that only the version that was read is replaced."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.silent = False
        self.loses_answers = False
        self._versions = 0

    async def get(self, namespace: str, name: str, timeout_s: float) -> dict[str, Any] | None:
        self._answers()
        return self.stored

    async def put(self, lease: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        self._answers()
        version = lease["metadata"].get("resourceVersion")
        if version != (self.stored or {"metadata": {}})["metadata"].get("resourceVersion"):
            raise Refused(409, "Conflict", "it was changed")
        self._versions += 1
        metadata = {**lease["metadata"], "resourceVersion": str(self._versions)}
        self.stored = {**lease, "metadata": metadata}
        if self.loses_answers:
            raise Unanswered("timeout")
        return self.stored

    @property
    def holding(self) -> tuple[str, int]:
        assert self.stored is not None
        return self.stored["spec"]["holderIdentity"], self.stored["spec"]["leaseTransitions"]

    def _answers(self) -> None:
        if self.silent:
            raise Unanswered("connection refused")


def candidate(server: Server, name: str) -> tuple[Election, Fence]:
    """A process that wants the lease."""
    fence = Fence()
    log = Log("replog_operator.test")
    election = Election(
        server, NAME, name, fence, log, clock=since_boot_s, timing=QUICK, looked=lambda: None
    )
    return election, fence


@pytest.mark.asyncio
async def test_one_of_two_wins_and_the_other_follows_when_it_is_released() -> None:
    server = Server()
    (a, fence_a), (b, fence_b) = candidate(server, "a"), candidate(server, "b")
    first = await a.win()
    second = asyncio.create_task(b.win())
    await asyncio.sleep(0.1)
    assert not second.done() and fence_a.check() == first
    await a.release()
    with pytest.raises(Deposed):
        fence_a.check()
    assert (await second).number == first.number + 1 == 2
    assert fence_b.check().holder == "ns/operator#b"


@pytest.mark.asyncio
async def test_a_holder_that_can_not_renew_is_deposed_when_its_time_is_up_and_not_before() -> None:
    server = Server()
    election, fence = candidate(server, "a")
    await election.win()
    keeping = asyncio.create_task(election.keep())
    await asyncio.sleep(2 * QUICK.write_s)
    assert fence.remaining_s() > 0 and not keeping.done()
    server.silent = True
    await asyncio.sleep(0.1)
    assert fence.check().number == 1
    with pytest.raises(Deposed):
        await keeping


@pytest.mark.asyncio
async def test_a_holder_whose_lease_another_has_taken_is_deposed_at_once() -> None:
    server = Server()
    election, fence = candidate(server, "a")
    await election.win()
    assert server.stored is not None
    server.stored["spec"] = {**server.stored["spec"], "holderIdentity": "b"}
    with pytest.raises(Deposed, match="b holds"):
        await election.keep()
    assert fence.remaining_s() == 0


@pytest.mark.asyncio
async def test_a_deleted_lease_is_not_taken_back_by_who_held_it() -> None:
    server = Server()
    election, _ = candidate(server, "a")
    await election.win()
    server.stored = None
    with pytest.raises(Deposed):
        await election.keep()
    assert server.stored is None


@pytest.mark.asyncio
async def test_a_lease_is_held_only_once_an_answer_says_so() -> None:
    server = Server()
    server.loses_answers = True
    election, fence = candidate(server, "a")
    winning = asyncio.create_task(election.win())
    await asyncio.sleep(0.1)
    assert server.holding == ("a", 1) and fence.remaining_s() == 0
    server.loses_answers = False
    assert (await winning).number == 1


@pytest.mark.asyncio
async def test_the_number_rises_above_what_a_log_has_seen_while_the_lease_is_held() -> None:
    server = Server()
    election, fence = candidate(server, "a")
    await election.win()
    keeping = asyncio.create_task(election.keep())
    election.rise_above(41)
    await asyncio.sleep(0.1)
    assert server.holding == ("a", 42) and fence.check().number == 42
    keeping.cancel()
