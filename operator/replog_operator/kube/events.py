"""Which events follow from a change of status: a wait began, an operation or a condition changed.

Decides: that something is told once when it begins, not while it lasts; a bound on what one change
may tell; and that a wait which comes and goes is not told each time (Limiter).
Must not know: how events are posted (telling.py).
Read next: status.py, telling.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

EVENTS_MAX: Final = 8
"""Of one change of status; the worst come first."""
NOTE_CHARS: Final = 1000
"""The API allows 1024."""
AGAIN_S: Final = 300.0
"""The same reason of the same log is told once in so long; each step of an operation is one."""
REMEMBERED_MAX: Final = 4096
"""Of all logs together; past it the oldest is forgotten, and may be told again early."""

STEP: Final = "Step"
_TOLD: Final = ("Ready", "Available", "Updated", "Suspended")
"""Conditions whose change is told; the others follow from these and from waits."""
_BAD: Final = frozenset({("Ready", "False"), ("Available", "False"), ("Updated", "False")})


class Told(NamedTuple):
    """An event. warning: else it is Normal. reason: a code, or of a condition."""

    warning: bool
    reason: str
    action: str
    note: str


def events(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Told]:
    """What there is to tell when the status changes from `before` to `now`."""
    found = [*_waits(before, now), *_conditions(before, now), *_operation(before, now)]
    return [told._replace(note=told.note[:NOTE_CHARS]) for told in found[:EVENTS_MAX]]


def _waits(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Told]:
    waited = {wait["code"] for wait in _items(before, "waits")}
    for wait in _items(now, "waits"):
        if wait["code"] not in waited:
            yield Told(True, wait["code"], "Wait", f"{wait['message']} {wait['next']}")


def _conditions(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Told]:
    """A status that is new tells of what is bad only through its waits; so does what is one."""
    waits = {wait["code"] for wait in _items(now, "waits")}
    stood = {item["type"]: item["status"] for item in _items(before, "conditions")}
    for found in _items(now, "conditions"):
        kind, word = found["type"], found["status"]
        if kind not in _TOLD or kind not in stood or stood[kind] == word:
            continue
        bad = (kind, word) in _BAD
        if bad and found["reason"] in waits:
            continue
        reason = found["reason"] if bad else _reason(kind, word)
        yield Told(bad, reason, kind, found["message"])


def _reason(kind: str, word: str) -> str:
    return kind if word == "True" else f"Not{kind}"


def _operation(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Told]:
    stood, found = before.get("operation") or {}, now.get("operation") or {}
    kind, step = found.get("kind", ""), found.get("step", "")
    if found and (kind, step) != (stood.get("kind"), stood.get("step")):
        yield Told(False, kind, STEP, step)
    if stood and not found:
        yield Told(False, f"{stood['kind']}Done", STEP, "there is nothing more to do")


def _items(status: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return status.get(name) or ()


class Limiter:
    """Remembers what was told lately, so that nothing is told over and over."""

    def __init__(self) -> None:
        self._told_s: dict[tuple[str, str, str], float] = {}

    def fresh(self, uid: str, found: Sequence[Told], now_s: float) -> list[Told]:
        """Those that were not told of this log lately; they are remembered as told now."""
        return [told for told in found if self._take(_key(uid, told), now_s)]

    def _take(self, key: tuple[str, str, str], now_s: float) -> bool:
        if now_s - self._told_s.get(key, -AGAIN_S) < AGAIN_S:
            return False
        self._told_s.pop(key, None)
        self._told_s[key] = now_s
        if len(self._told_s) > REMEMBERED_MAX:
            del self._told_s[next(iter(self._told_s))]
        return True


def _key(uid: str, told: Told) -> tuple[str, str, str]:
    """The evidence of a wait may change all the time, and is no news.

    A condition that went bad with the same reason shortly before must not hide the wait: it says
    less (`no leader takes appends`, and not who is silent).
    """
    return uid, told.reason, told.note if told.action == STEP else told.action
