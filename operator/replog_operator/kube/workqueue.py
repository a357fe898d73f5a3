"""Which log is looked at next: each one at most once at a time, again after a while.

A key that is asked for while it is being worked on is worked on once more afterwards, because what
was asked for may have changed after it was read. A failure waits longer each time.

Decides: when each key is due. A value with a clock that is passed in.
Must not know: what a pass does, where keys come from.
Read next: workers.py.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

KEYS_MAX: Final = 10_000
"""Logs of one operator. Past it a further one is not looked at; `add` says so."""
FAILED_FIRST_S: Final = 1.0
FAILED_MOST_S: Final = 15.0
GATHER_S: Final = 0.2
"""A change comes as several events: a pass shortly after the first sees them all."""
RESYNC_S: Final = 60.0
"""Every log is looked at so often, whatever events say."""


class Key(NamedTuple):
    """A log by its name."""

    namespace: str
    name: str


@dataclass(slots=True)
class _Entry:
    """due_s: None while it is worked on; again_s: asked for meanwhile."""

    due_s: float | None
    again_s: float | None = None
    failures: int = 0


class Queue:
    """All moments are of one clock that is never set."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, key: Key, now_s: float, *, after_s: float = GATHER_S) -> bool:
        """Have it looked at; False if there are too many logs already.

        An earlier moment that was set stays, and so does the wait after a failure: what failed may
        itself have caused the event.
        """
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= KEYS_MAX:
                return False
            self._entries[key] = _Entry(now_s + after_s)
        elif entry.due_s is None:
            entry.again_s = min(now_s + after_s, entry.again_s or now_s + after_s)
        elif not entry.failures:
            entry.due_s = min(entry.due_s, now_s + after_s)
        return True

    def take(self, now_s: float) -> Key | None:
        """The key that has been due for longest, now being worked on; None if none is due."""
        waiting = ((e.due_s, key) for key, e in self._entries.items() if e.due_s is not None)
        due_s, key = min(waiting, default=(None, None))
        if due_s is None or key is None or due_s > now_s:
            return None
        self._entries[key].due_s = None
        return key

    def next_s(self) -> float | None:
        """When the next key is due; None if none is."""
        return min((e.due_s for e in self._entries.values() if e.due_s is not None), default=None)

    def done(self, key: Key, now_s: float, *, after_s: float = RESYNC_S) -> None:
        """A pass over it ended well; the next one comes after_s later, or when it is asked for."""
        entry = self._entries[key]
        entry.failures = 0
        self._again(entry, now_s + after_s)

    def failed(self, key: Key, now_s: float) -> float:
        """A pass failed; the next one waits, twice as long each time. Returns how long."""
        entry = self._entries[key]
        entry.failures += 1
        wait_s: float = min(FAILED_FIRST_S * 2.0 ** min(entry.failures - 1, 16), FAILED_MOST_S)
        entry.again_s = None  # it was asked for while it failed: that alone is no reason to hurry
        self._again(entry, now_s + wait_s)
        return wait_s

    def gone(self, key: Key, now_s: float) -> None:
        """The log is not there any more; it is forgotten unless it was asked for meanwhile."""
        entry = self._entries[key]
        if entry.again_s is None:
            del self._entries[key]
        else:
            self.done(key, now_s)

    def _again(self, entry: _Entry, due_s: float) -> None:
        entry.due_s = due_s if entry.again_s is None else min(due_s, entry.again_s)
        entry.again_s = None
