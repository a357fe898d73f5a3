"""Telling people of a log: its status, written when it says something new; events; gauges.

The status is applied as a whole under our name, so that nothing of it stays that isn't said any
more. An event is posted after the status that it is about; one that is lost is told by the status.

Decides: the order, and that a refused event stops nothing, nor a status that can't be stored.
Must not know: what is told (status.py, events.py).
Read next: status.py, events.py, gauges.py.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from secrets import token_hex
from typing import Any, Final

from replog.logs import Log
from replog_operator.kube.children.names import API_VERSION, KIND, MANAGER
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.events import Limiter, Told, events
from replog_operator.kube.gauges import LogGauges
from replog_operator.kube.kinds import EVENT, LOG
from replog_operator.kube.picture import Picture
from replog_operator.kube.ports import Refused, Unanswered, Writes
from replog_operator.kube.status import status

OTHER_BY_NOW: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
"""Answers which say that the resource is not the one that was looked at."""


class Telling:
    """For all logs of one process. instance: of the operator, as events name it."""

    def __init__(self, writes: Writes, gauges: LogGauges, instance: str, log: Log) -> None:
        self._writes = writes
        self._gauges = gauges
        self._instance = instance
        self._log = log
        self._limiter = Limiter()

    async def tell(self, resource: Object, picture: Picture, now_s: float) -> bool:
        """Tell what is new; False if the status was refused, so that it stands as it was.

        Members that wait for their operator are worse than a status that is old. Raises Unanswered,
        and the refusal of a resource that is another by now.
        """
        before: Mapping[str, Any] = resource.get("status") or {}
        now = status(picture, before, now_s)
        stored = now == before or await self._store(resource, now)
        self._gauges.show(picture.namespace, picture.name, now)
        uid = resource["metadata"]["uid"]
        for told in self._limiter.fresh(uid, events(before, now), now_s):
            await self._post(resource, told, now_s)
        return stored

    async def _store(self, resource: Object, now: Mapping[str, Any]) -> bool:
        try:
            await self._writes.apply_status(LOG, _with_status(resource, now))
        except Refused as problem:
            if problem.status in OTHER_BY_NOW:
                raise
            metadata = resource["metadata"]
            bound = self._log.bind(namespace=metadata["namespace"], name=metadata["name"])
            bound.error("status_refused", why=str(problem))
            return False
        return True

    async def _post(self, resource: Object, told: Told, now_s: float) -> None:
        """A lost event is no reason to do the pass again."""
        metadata = resource["metadata"]
        bound = self._log.bind(namespace=metadata["namespace"], name=metadata["name"])
        bound.info("told", reason=told.reason, note=told.note)
        try:
            await self._writes.create(EVENT, event_object(resource, told, self._instance, now_s))
        except (Refused, Unanswered) as problem:
            bound.warning("event_lost", reason=told.reason, why=str(problem))


def _with_status(resource: Object, now: Mapping[str, Any]) -> Object:
    metadata = resource["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "status": now,
    }


def event_object(resource: Object, told: Told, instance: str, now_s: float) -> Object:
    """The event about a resource; its name is its own, so that no event hides another."""
    metadata = resource["metadata"]
    at = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": EVENT.api_version,
        "kind": "Event",
        "metadata": {
            "namespace": metadata["namespace"],
            "name": f"{metadata['name']}.{token_hex(8)}",
        },
        "eventTime": at,
        "reportingController": f"replog.dev/{MANAGER}",
        "reportingInstance": instance,
        "type": "Warning" if told.warning else "Normal",
        "reason": told.reason,
        "action": told.action,
        "note": told.note,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
    }
