"""Conditions as Kubernetes' API conventions want them: all there from the first, one a type.

Decides: when a transition time is kept (while the status is the same), and the order.
Must not know: when a condition is true.
Read next: status.py.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

MESSAGE_CHARS: Final = 1024
"""Of a condition; the API allows 32768."""


class Condition(NamedTuple):
    """What is so now. true: None is `Unknown`. reason: one CamelCase word."""

    kind: str
    true: bool | None
    reason: str
    message: str


def conditions(
    now: Sequence[Condition],
    before: Sequence[Mapping[str, Any]],
    *,
    generation: int,
    now_s: float,
) -> list[dict[str, Any]]:
    """The conditions as they are stored. before: those stored now; ours replace them all."""
    times = {item["type"]: (item["status"], item.get("lastTransitionTime")) for item in before}
    return [_stored(found, times.get(found.kind), generation, now_s) for found in now]


def _stored(
    found: Condition, stood: tuple[str, str | None] | None, generation: int, now_s: float
) -> dict[str, Any]:
    status = _word(found.true)
    kept = stood[1] if stood is not None and stood[0] == status else None
    return {
        "type": found.kind,
        "status": status,
        "reason": found.reason,
        "message": found.message[:MESSAGE_CHARS],
        "observedGeneration": generation,
        "lastTransitionTime": kept or timestamp(now_s),
    }


def _word(true: bool | None) -> str:
    return "Unknown" if true is None else str(true)


def timestamp(at_s: float) -> str:
    """Seconds since 1970 as Kubernetes writes times: whole seconds, UTC."""
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
