"""The resource's status, written from a picture of the log: columns, members, waits, conditions.

Decides: what each field and condition says. Times are kept from the status before as long as what
they belong to stays, since the operator itself remembers nothing.
Must not know: how it is stored (telling.py), or who reads it.
Read next: picture.py, conditions.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from replog.wire.codes import known, row
from replog_operator.kube.children.names import endpoint, selector, selector_text
from replog_operator.kube.conditions import Condition, conditions, timestamp
from replog_operator.kube.picture import MemberRow, OperationRow, Picture, WaitRow
from replog_operator.quantities import quantity_of

WAITS_MAX: Final = 16
"""That are shown; the worst come first."""
MEMBERS_MAX: Final = 32
EVIDENCE_CHARS: Final = 512
_STOPS_APPENDS: Final = frozenset({"DiskFull", "ClockJump"})
NOTHING: Final = "AsExpected"
"""The reason of a condition that says that all is well."""


def status(picture: Picture, before: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    """The whole status. before: the one that is stored; only times are taken from it."""
    leader = next((member for member in picture.members if member.leads), None)
    voters = [member for member in picture.members if member.role == "voter"]
    found: dict[str, Any] = {
        "observedGeneration": picture.generation,
        "endpoint": endpoint(picture.name, picture.namespace),
        "clusterID": picture.cluster_id,
        "lineage": picture.lineage,
        "replicas": picture.pods,
        "readyReplicas": picture.ready,
        "ready": f"{picture.ready}/{picture.wanted}",
        "selector": selector_text(selector(picture.name)),
        "voters": len(voters),
        "leader": "" if leader is None else leader.pod or leader.id,
        "tolerates": picture.tolerates,
        "version": _version(picture),
        "summary": summary(picture),
        "image": picture.image,
        "retention": picture.retention,
        "storageSize": quantity_of(picture.storage_bytes) if picture.storage_bytes else "",
        "members": [_member(member) for member in picture.members[:MEMBERS_MAX]],
        "operation": _operation(picture.operation, before.get("operation") or {}, now_s),
        "waits": list(_waits(picture, before.get("waits") or (), now_s)),
        "conditions": conditions(
            tuple(_conditions(picture)),
            before.get("conditions") or (),
            generation=picture.generation,
            now_s=now_s,
        ),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def summary(picture: Picture) -> str:
    """The column STATUS: what a person should know first, in a word or two."""
    if picture.suspended:
        return "Suspended"
    under_way = "" if picture.operation is None else picture.operation.kind
    if picture.waits:
        worst = picture.waits[0].code
        return f"{under_way}: {worst}" if under_way else worst
    if under_way:
        return under_way
    if picture.hibernating:
        return "Hibernating"
    return "Ready" if _is_ready(picture) else "NotReady"


def _version(picture: Picture) -> str:
    """What the members run; two versions while they are being replaced."""
    return ",".join(sorted({member.version for member in picture.members if member.version}))


def _member(member: MemberRow) -> dict[str, Any]:
    found = {
        "id": member.id,
        "role": member.role,
        "ordinal": member.ordinal,
        "pod": member.pod,
        "leader": member.leads,
        "ready": member.ready,
        "caughtUp": member.caught_up,
        "version": member.version,
        "state": member.state,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _operation(
    now: OperationRow | None, before: Mapping[str, Any], now_s: float
) -> dict[str, Any] | None:
    if now is None:
        return None
    found: dict[str, Any] = {"kind": now.kind, "step": now.step}
    same = all(before.get(name) == value for name, value in found.items())
    found["since"] = before["since"] if same and "since" in before else timestamp(now_s)
    if now.blocked_on:
        found["blockedOn"] = now.blocked_on
    return found


def _waits(
    picture: Picture, before: tuple[Mapping[str, Any], ...], now_s: float
) -> Iterator[dict[str, Any]]:
    since = {item["code"]: item.get("since") for item in before}
    for wait in picture.waits[:WAITS_MAX]:
        yield {
            "code": wait.code,
            "message": _sentence(wait),
            "next": row(wait.code).next if known(wait.code) else "",
            "since": since.get(wait.code) or timestamp(now_s),
        }


def _sentence(wait: WaitRow) -> str:
    meaning = row(wait.code).meaning if known(wait.code) else ""
    return " ".join(part for part in (meaning, wait.evidence) if part)[:EVIDENCE_CHARS]


def _conditions(picture: Picture) -> Iterator[Condition]:
    yield _ready(picture)
    yield _available(picture)
    yield _progressing(picture)
    yield _updated(picture)
    yield _degraded(picture)
    yield _waiting(picture)
    yield _suspended(picture)
    yield _insecure(picture)


def _is_ready(picture: Picture) -> bool:
    whole = picture.reached and picture.ready >= picture.wanted
    return whole and picture.admitting and not picture.hibernating


def _ready(picture: Picture) -> Condition:
    """All members that are wanted serve, and the log takes appends."""
    if _is_ready(picture):
        return Condition("Ready", True, NOTHING, "all members serve, and the log takes appends")
    reason, message = _why_not(picture)
    return Condition("Ready", False, reason, message)


def _why_not(picture: Picture) -> tuple[str, str]:
    if picture.hibernating:
        return "Hibernating", "spec.hibernate: no member runs; data is kept"
    if picture.waits:
        return picture.waits[0].code, _sentence(picture.waits[0])
    if picture.operation is not None:
        return picture.operation.kind, picture.operation.step
    if not picture.admitting:
        return _no_appends(picture)
    return "MembersMissing", f"{picture.ready} of {picture.wanted} members serve"


def _available(picture: Picture) -> Condition:
    """Appends are taken, whoever is missing."""
    if picture.admitting:
        return Condition("Available", True, NOTHING, "the leader takes appends")
    if picture.hibernating:
        return Condition("Available", False, "Hibernating", "spec.hibernate: no member runs")
    return Condition("Available", False, *_no_appends(picture))


def _no_appends(picture: Picture) -> tuple[str, str]:
    """Nobody looks for a leader that is there."""
    if not any(member.leads for member in picture.members):
        return "NoLeader", "no leader takes appends"
    held = next((wait for wait in picture.waits if wait.code in _STOPS_APPENDS), None)
    if held is not None:
        return held.code, f"the leader takes no appends: {held.evidence}"
    return "NotAdmitting", "there is a leader, and it takes no appends just now"


def _progressing(picture: Picture) -> Condition:
    if picture.operation is None:
        return Condition("Progressing", False, NOTHING, "there is nothing to do")
    operation = picture.operation
    held = f"; it waits for {operation.blocked_on}" if operation.blocked_on else ""
    return Condition("Progressing", True, operation.kind, operation.step + held)


def _updated(picture: Picture) -> Condition:
    if picture.updated:
        return Condition("Updated", True, NOTHING, "every pod is as the resource wants it")
    reason, message = picture.not_updated
    return Condition("Updated", picture.updated, reason or "NotKnown", message or "not known yet")


def _degraded(picture: Picture) -> Condition:
    """A member of the log is no help now, so that less may fail than its size promises."""
    ill = [
        member.pod or member.id
        for member in picture.members
        if member.role and not (member.ready and member.caught_up)
    ]
    if not picture.cluster_id:
        return Condition("Degraded", None, "NoCluster", "there is no cluster yet")
    if not ill:
        return Condition("Degraded", False, NOTHING, "every member is well")
    return Condition("Degraded", True, "MembersNotWell", f"not well: {', '.join(ill)}")


def _waiting(picture: Picture) -> Condition:
    """Something is waited for; every wait is named in the message."""
    if not picture.waits:
        return Condition("Waiting", False, NOTHING, "nothing is waited for")
    told = "; ".join(f"{wait.code}: {_sentence(wait)}" for wait in picture.waits)
    return Condition("Waiting", True, picture.waits[0].code, told)


def _suspended(picture: Picture) -> Condition:
    if picture.suspended:
        return Condition("Suspended", True, "Suspended", "spec.suspend: nothing is changed")
    return Condition("Suspended", False, NOTHING, "the operator acts")


def _insecure(picture: Picture) -> Condition:
    if picture.insecure:
        message = "there is no client authentication: whoever reaches the log may read and append"
        return Condition("Insecure", True, "NoAuthentication", message)
    return Condition("Insecure", False, NOTHING, "clients are authenticated")
