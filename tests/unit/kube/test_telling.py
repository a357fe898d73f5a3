"""A status that the server refuses keeps nobody from the log (replog_operator/kube/telling.py).

A real server refuses no status that we know how to make, so the port does it here; what is stored
is seen on a real one in tests/cluster/test_telling.py.
"""

import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from replog.logs import Log
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.gauges import LogGauges
from replog_operator.kube.kinds import Kind
from replog_operator.kube.picture import WaitRow
from replog_operator.kube.ports import Refused, Unanswered
from replog_operator.kube.telling import Telling
from tests.unit.kube.pictures import picture
from tests.unit.kube.world import resource

WAITING = picture(waits=(WaitRow("NoLeader", "nobody leads"),))


class Refuses:
    """Writes of a server that gives this answer to each status, and stores each event."""

    def __init__(self, answer: Exception) -> None:
        self.answer = answer
        self.events: list[str] = []

    async def create(self, kind: Kind, found: Object) -> Object:
        self.events.append(found["reason"])
        return found

    async def apply_status(self, kind: Kind, found: Object) -> Object:
        raise self.answer

    async def apply(self, kind: Kind, found: Object) -> Object:
        raise AssertionError("telling applies no object")

    async def patch(self, kind: Kind, namespace: str, name: str, change: Any) -> Object:
        raise AssertionError("telling patches no object")

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        raise AssertionError("telling deletes no object")

    async def evict(self, namespace: str, pod: str, *, uid: str) -> None:
        raise AssertionError("telling evicts nobody")


def telling(writes: Refuses) -> Telling:
    log = Log("replog_operator.test")
    return Telling(writes, LogGauges(CollectorRegistry()), "operator-1", log)


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 403, 422])
async def test_a_status_that_is_refused_ends_no_pass_and_is_told_otherwise(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    writes = Refuses(Refused(status, "Invalid", "status.members[0].id: too long"))
    with caplog.at_level(logging.ERROR, "replog_operator.test"):
        stored = await telling(writes).tell(resource(), WAITING, 60.0)
    assert not stored
    assert "NoLeader" in writes.events
    assert [line.getMessage() for line in caplog.records] == ["status_refused"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        Refused(404, "NotFound", "it is gone"),
        Refused(409, "Conflict", "another uid"),
        Unanswered("no answer in 10 s"),
    ],
    ids=str,
)
async def test_what_is_another_resource_by_now_or_unknown_ends_the_pass(
    answer: Exception,
) -> None:
    with pytest.raises(type(answer)):
        await telling(Refuses(answer)).tell(resource(), WAITING, 60.0)
