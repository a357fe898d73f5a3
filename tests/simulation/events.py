"""The trace: one line an event, in fixed columns (docs/testing.md, "How to read a trace").

    seconds     who       what            details

Decides: the columns, and how much is kept. Must not know: what events there are.
Read next: failure.py.
"""

from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

LINES_KEPT: Final = 300_000
"""Lines kept for a failure; older ones are dropped from the text, never from the digest."""

_DIGESTED: Final = 512
"""Lines that are digested at once."""


class Trace:
    """All that has happened. Two runs of a seed agree on every byte of it."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._hash = blake2b(digest_size=16)
        self._fresh: list[str] = []

    def add(self, now_us: int, who: str, what: str, details: Sequence[object]) -> None:
        """Append one event."""
        text = " ".join(map(str, details)).replace("\n", " ")
        line = f"{now_us / 1e6:11.6f}  {who:<12} {what:<16} {text}".rstrip()
        self.lines.append(line)
        self._fresh.append(line)
        if len(self._fresh) >= _DIGESTED:
            self._digest()

    def _digest(self) -> None:
        self._hash.update("\n".join((*self._fresh, "")).encode())
        self._fresh.clear()

    def digest(self) -> str:
        """What has happened so far, as a number."""
        self._digest()
        return self._hash.hexdigest()

    def last(self, count: int) -> list[str]:
        """The last lines but for messages, of which there are too many to be read at once."""
        told = [line for line in list(self.lines)[-20 * count :] if "  send " not in line[24:32]]
        return told[-count:]
