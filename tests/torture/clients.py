"""Clients in threads, which work as long as the torture lasts and note everything in the journal.

Those without a session append once and take what comes; a session repeats a batch until it is
acknowledged, at other members and now and then at two, or asks what became of it; a conditional one
names the record that it believes to be the last. Readers ask any member, in each consistency.

Decides: what clients ask. Must not know: what is done to the members, and what was right.
Read next: journal.py, verdict.py.
"""

import http.client
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

import msgspec

from replog.wire.schemas import Appended, ProducerResolved, ProducerSession, RecordsPage
from tests.simulation.clients.history import Attempt
from tests.support.processes import call
from tests.torture.journal import Journal, now_us

T = TypeVar("T")

CALL_S = 4.0
"""A call waits no longer: a member that is stopped answers nothing."""

TIMEOUT = {"Replog-Timeout-Ms": "2500"}
OCTETS = {"Content-Type": "application/octet-stream", **TIMEOUT}
LINES = {"Content-Type": "application/x-ndjson", **TIMEOUT}
PAUSE_S = (0.0, 0.02)
ABSENT_S = 0.1
"""After a call to a member that isn't there."""

RECORDS_MAX = 4
MANY = 40
"""Records of a large batch."""

READ = 60
"""Records of a page."""

FAR = 3000
"""So many records back some pages begin."""

BOUND_MS = 500
ELSEWHERE = frozenset({"removed", "fenced", "unassigned", "storage_failed", "shutting_down"})
"""Refusals that are one member's matter alone, though the table calls some of them final."""


class Silence(Exception):
    """No answer. reached: whether the call may have reached anybody."""

    def __init__(self, problem: Exception) -> None:
        reason = getattr(problem, "reason", problem)
        super().__init__(type(reason).__name__)
        self.reached = not isinstance(reason, ConnectionRefusedError)


class Problem(msgspec.Struct):
    """A refusal (docs/api.md, Problems)."""

    code: str = "none"
    retryable: bool = False
    outcome: str = "unknown"
    detail: str = ""
    last_record: int | None = None


class Client(ABC):
    """What all share: somebody to ask, a journal, a pause between calls. A thread runs `work`."""

    def __init__(self, name: str, journal: Journal, endpoints: Callable[[], Sequence[str]]) -> None:
        self.name = name
        self.journal = journal
        self.random = Random(name)
        self.count = 0
        self._endpoints = endpoints
        self._stop = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Take up nothing new."""
        self._stop.set()

    def join(self) -> None:
        """Wait until it has stopped."""
        self._thread.join(60)
        if not self._ended:
            self.journal.lie(f"{self.name} hangs, or has failed: see what it wrote")

    def _run(self) -> None:
        while not self.pause():
            self.work()
        self._ended = True

    def pause(self) -> bool:
        """Wait a little; whether it is time to stop."""
        return self._stop.wait(self.random.uniform(*PAUSE_S))

    @abstractmethod
    def work(self) -> None:
        """Do one thing."""

    def someone(self) -> str:
        """A member to ask."""
        return self.random.choice(self._endpoints())

    def values(self, records: int) -> list[bytes]:
        """Values that nobody else writes."""
        self.count += 1
        return [f"{self.name}/{self.count}/{number}".encode() for number in range(records)]

    def ask(self, method: str, address: str, path: str, kind: type[T], **more: Any) -> T | Problem:
        """One call; its answer or its refusal. Raises Silence. Both are counted."""
        try:
            status, body, _ = call(method, address, path, timeout_s=CALL_S, **more)
        except (OSError, http.client.HTTPException) as problem:
            silence = Silence(problem)
            self.journal.refused(str(silence))
            if not silence.reached:
                self._stop.wait(ABSENT_S)
            raise silence from problem
        if status == 200:
            return msgspec.json.decode(body, type=kind)
        refusal = msgspec.json.decode(body, type=Problem)
        self.journal.refused(refusal.code)
        return refusal

    def append(
        self, attempt: Attempt, address: str, headers: dict[str, str], stamp_ms: int | None = None
    ) -> Problem | None:
        """Append a batch at a member, and note an acknowledgement; a refusal or silence otherwise.

        Silence is a refusal of unknown outcome, or of none if nobody was reached.
        """
        body = attempt.values[0]
        if headers["Content-Type"] == LINES["Content-Type"]:
            body = b"\n".join(_line(value, stamp_ms) for value in attempt.values)
        try:
            answer = self.ask("POST", address, "/v1/records", Appended, body=body, headers=headers)
        except Silence as silence:
            return Problem("silence", True, "unknown" if silence.reached else "none")
        if isinstance(answer, Problem):
            return answer
        self.journal.appended(attempt, answer)
        return None

    def must_pass(self, problem: Problem) -> None:
        """A refusal that can't be right here is a lie."""
        if not (problem.retryable or problem.code in ELSEWHERE):
            self.journal.lie(f"{self.name} was told {problem.code}: {problem.detail}")


def _line(value: bytes, stamp_ms: int | None) -> bytes:
    record: dict[str, object] = {"value": value.decode()}
    if stamp_ms is not None:
        record["timestamp_ms"] = stamp_ms
    return msgspec.json.encode(record)


class Plain(Client):
    """Appends a value, or a batch, and never says it again."""

    def work(self) -> None:
        records = self.random.choice((1, 1, RECORDS_MAX, MANY))
        attempt = self.journal.begin(self.values(records))
        problem = self.append(attempt, self.someone(), OCTETS if records == 1 else LINES)
        if problem is not None:
            attempt.outcome = problem.outcome
            self.must_pass(problem)


class Conditional(Client):
    """Appends only behind the record that it believes to be the last."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._believed: int | None = None

    def work(self) -> None:
        behind = self._believed
        attempt = self.journal.begin(self.values(1), behind=-1 if behind is None else behind)
        condition = {"If-Last-Record": "none" if behind is None else str(behind)}
        problem = self.append(attempt, self.someone(), {**OCTETS, **condition})
        if problem is None:
            self._believed = attempt.last
            return
        attempt.outcome = problem.outcome
        if problem.code == "last_record_mismatch":
            self._believed = problem.last_record
        else:
            self.must_pass(problem)


class Session(Client):
    """Appends in a producer session, and repeats until it knows."""

    RESOLVES = 0.15
    TWICE = 0.1

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._session: ProducerSession | None = None
        self._sequence = 0

    def work(self) -> None:
        if self._session is None:
            self._session = self._until("/v1/producers", {"request": self.name}, ProducerSession)
            return
        values = self.values(self.random.randint(1, RECORDS_MAX))
        attempt = self.journal.begin(values, session=self.name)
        self._settle(attempt, self._session, now_us() // 1000)

    def _settle(self, attempt: Attempt, session: ProducerSession, stamp_ms: int) -> None:
        """Repeat a batch until its fate is known; the same bytes each time."""
        headers = {
            **LINES,
            "Producer-Id": str(session.producer_id),
            "Producer-Epoch": str(session.epoch),
            "Producer-Sequence": str(self._sequence),
        }
        while True:
            problem = self.append(attempt, self.someone(), headers, stamp_ms)
            if problem is None:
                self._sequence += len(attempt.values)
                if self.random.random() < self.TWICE:
                    self.append(attempt, self.someone(), headers, stamp_ms)
                return
            self.must_pass(problem)
            if problem.outcome == "unknown" and self.random.random() < self.RESOLVES:
                self._resolve(attempt, session)
                return
            if self.pause():
                return

    def _resolve(self, attempt: Attempt, session: ProducerSession) -> None:
        """Ask what became of it, and go on in the next epoch."""
        path = f"/v1/producers/{session.producer_id}:resolve"
        told = self._until(path, {"epoch": session.epoch}, ProducerResolved)
        if told is None:
            return
        last = self._sequence + len(attempt.values) - 1
        happened = told.last_sequence is not None and told.last_sequence >= last
        self.journal.resolved(attempt, happened)
        if happened and told.last_offset is not None:
            count = len(attempt.values)
            base = told.last_offset - count + 1
            self.journal.appended(attempt, Appended(base, told.last_offset, count, 0))
        self._session = msgspec.structs.replace(session, epoch=told.epoch)
        self._sequence = 0

    def _until(self, path: str, body: dict[str, Any], kind: type[T]) -> T | None:
        """Ask until it is answered; None if it is time to stop."""
        while True:
            try:
                answer = self.ask("POST", self.someone(), path, kind, body=body)
            except Silence:
                answer = Problem("silence", True)
            if not isinstance(answer, Problem):
                return answer
            self.must_pass(answer)
            if self.pause():
                return None


class Reader(Client):
    """Reads a page near the newest acknowledged record, or anywhere, in one consistency."""

    consistency = "linearizable"

    def work(self) -> None:
        newest = self.journal.newest
        start = max(0, newest - self.random.randint(0, READ))
        if self.random.random() < 0.2:
            start = self.random.randint(max(0, newest - FAR), max(0, newest))
        path = f"/v1/records?from={start}&limit={READ}&consistency={self.consistency}"
        began_us, address = now_us(), self.someone()
        try:
            page = self._page(address, path, start)
        except Silence:
            return
        if page is not None:
            fresh_us = self.fresh_us(began_us)
            self.journal.read(address, self.consistency, began_us, fresh_us, start, page)

    def _page(self, address: str, path: str, start: int) -> RecordsPage | None:
        answer = self.ask("GET", address, path, RecordsPage)
        if isinstance(answer, RecordsPage):
            return answer
        if answer.code == "offset_out_of_range" and self.consistency == "linearizable":
            self.journal.lie(f"{address} says that {start} is beyond the end: {answer.detail}")
        elif answer.code not in ("offset_out_of_range", "offset_trimmed", "read_too_stale"):
            self.must_pass(answer)
        return None

    def fresh_us(self, began_us: int) -> int | None:
        """Everything acknowledged until then must be seen; None: nothing need be."""
        return began_us


class Local(Reader):
    """Reads what a member knows, however old it is."""

    consistency = "local"

    def fresh_us(self, began_us: int) -> int | None:
        return None


class Bounded(Reader):
    """Reads what is at most BOUND_MS old."""

    consistency = f"bounded:{BOUND_MS}ms"

    def fresh_us(self, began_us: int) -> int | None:
        return began_us - BOUND_MS * 1000


CREW: tuple[type[Client], ...] = (
    Plain, Plain, Plain, Session, Session, Session, Conditional, Reader, Reader, Local, Bounded,
)  # fmt: skip


class Load:
    """All clients, within the block."""

    def __init__(self, journal: Journal, endpoints: Callable[[], Sequence[str]]) -> None:
        self.clients = [
            kind(f"{kind.__name__.lower()}{number}", journal, endpoints)
            for number, kind in enumerate(CREW)
        ]

    def __enter__(self) -> "Load":
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.ask_to_stop()
        for client in self.clients:
            client.join()
