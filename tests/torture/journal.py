"""What clients did and were told, in the form that the simulation's oracles read.

Times are µs of this machine's monotonic clock: all clients are in one process.

Decides: what is kept of an answer. Must not know: whether it was right (verdict.py).
Read next: ../simulation/clients/history.py.
"""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from replog.wire.schemas import Appended, RecordsPage
from tests.simulation.clients.history import Attempt, History, ReadDone


def now_us() -> int:
    """The time of everything in the journal."""
    return time.monotonic_ns() // 1000


def digest(records: Iterable[tuple[int, bytes]]) -> str:
    """A short name of records and their places."""
    found = hashlib.blake2b(digest_size=12)
    for offset, value in records:
        found.update(b"%d %d " % (offset, len(value)) + value)
    return found.hexdigest()


@dataclass(frozen=True)
class Page:
    """What a member showed of [start, next). fresh_us: everything known then must be in it."""

    node: str
    consistency: str
    began_us: int
    ended_us: int
    fresh_us: int | None
    start: int
    next: int
    end: int
    records: int
    digest: str


class Journal:
    """Shared by all clients. lies: answers that no correct member gives."""

    def __init__(self) -> None:
        self.history = History()
        self.pages: list[Page] = []
        self.refusals: Counter[str] = Counter()
        self.lies: list[str] = []
        self._newest = -1
        self._acknowledged = 0
        self._lock = threading.Lock()

    @property
    def newest(self) -> int:
        """The highest offset that is acknowledged."""
        return self._newest

    @property
    def acknowledged(self) -> int:
        """How many appends are."""
        return self._acknowledged

    def begin(self, values: Sequence[bytes], **more: Any) -> Attempt:
        """An append begins."""
        attempt = Attempt(tuple(values), now_us(), **more)
        with self._lock:
            self.history.attempts.append(attempt)
        return attempt

    def appended(self, attempt: Attempt, answer: Appended) -> None:
        """It is acknowledged."""
        with self._lock:
            self._acknowledged += attempt.outcome != "applied"
            attempt.applied(answer, now_us())
            self._newest = max(self._newest, answer.last_offset)

    def resolved(self, attempt: Attempt, happened: bool) -> None:
        """What became of it was asked for and told."""
        with self._lock:
            attempt.resolved = happened
            self.history.resolved += 1

    def refused(self, code: str) -> None:
        """Something was refused, or nobody answered."""
        with self._lock:
            self.refusals[code] += 1

    def lie(self, what: str) -> None:
        """Something was said that is never right."""
        with self._lock:
            self.lies.append(what)

    def read(
        self, node: str, consistency: str, began_us: int, fresh_us: int | None,
        start: int, page: RecordsPage,
    ) -> None:  # fmt: skip
        """A member showed a page."""
        records = [(r.offset, (r.value or "").encode()) for r in page.records]
        seen = Page(
            node, consistency, began_us, now_us(), fresh_us,
            start, page.next_offset, page.end_offset, len(records), digest(records),
        )  # fmt: skip
        with self._lock:
            self.pages.append(seen)
            if consistency == "linearizable":
                done = ReadDone(began_us, seen.ended_us, page.end_offset - 1, node)
                self.history.reads.append(done)

    def write(self, path: Path) -> None:
        """Keep everything as lines of JSON: appends first, then pages."""
        with path.open("w") as file:
            for attempt in self.history.attempts:
                shown = {**asdict(attempt), "values": [v.decode() for v in attempt.values]}
                file.write(json.dumps({"append": shown}) + "\n")
            for page in self.pages:
                file.write(json.dumps({"page": asdict(page)}) + "\n")
            for lie in self.lies:
                file.write(json.dumps({"lie": lie}) + "\n")
