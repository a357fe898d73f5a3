"""A load on real members, which remembers everything that it was told.

Sure writers keep a producer session and repeat a record until it is acknowledged: each of theirs
is in the log exactly once, in order. Single writers say everything once: what they were told
(acknowledged, outcome none, outcome unknown) is compared with the log. Readers read linearizably
at the newest offset that was acknowledged before they began: it must be there.

Decides: what is asked, and when an answer is a lie. Must not know: what is done to the members.
Read next: ../support/processes.py, test_kill_all.py.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tests.support.processes import Cluster, Refused, ask, call, eventually

OCTETS = {"Content-Type": "application/octet-stream"}
CALL_S = 8.0
"""No call waits longer; a member that was stopped answers nothing."""

PAUSE_S = 0.01
"""Between two calls of one writer or reader: the load is steady, and leaves the machine alive."""


def refusal_of(content: bytes) -> Any:
    """The problem that a body is, or nothing of it."""
    try:
        return json.loads(content)
    except ValueError:
        return {}


class Load:
    """Writers and readers, each in a thread, until the block ends. `endpoints` may be replaced."""

    def __init__(
        self, endpoints: Sequence[str], *, sure: int = 2, single: int = 1, readers: int = 1
    ) -> None:
        self.endpoints = list(endpoints)
        self.acked: dict[str, int] = {}
        self.none: set[str] = set()
        self.unknown: set[str] = set()
        self.refusals: Counter[tuple[int, str, str]] = Counter()
        self.single_refusals: Counter[tuple[int, str, str]] = Counter()
        self.lies: list[str] = []
        self.reads = 0
        self.longest_gap_s = 0.0
        self._newest = (-1, "")
        self._acked_s = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._sure, args=(f"sure{n}", n)) for n in range(sure)),
            *(threading.Thread(target=self._single, args=(f"single{n}", n)) for n in range(single)),
            *(threading.Thread(target=self._read, args=(n,)) for n in range(readers)),
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)

    @property
    def newest(self) -> tuple[int, str]:
        """The highest offset that is acknowledged, and its value."""
        with self._lock:
            return self._newest

    def more(self, count: int = 20, timeout_s: float = 30.0) -> None:
        """Wait until so many more records are acknowledged: the log goes on."""
        wanted = len(self.acked) + count
        eventually("records are acknowledged", lambda: len(self.acked) >= wanted, timeout_s)

    def check(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Compare what was told with the log, read to its end after the load has ended."""
        assert not self.lies, self.lies[:5]
        where: dict[str, list[int]] = {}
        for offset, value in records:
            where.setdefault(value.decode(), []).append(offset)
        wrong = {v: (at, where.get(v)) for v, at in self.acked.items() if where.get(v) != [at]}
        assert not wrong, f"acknowledged, but lost, moved or doubled: {list(wrong.items())[:5]}"
        happened = self.none & where.keys()
        assert not happened, f"told that nothing happened: {sorted(happened)[:5]}"
        doubled = [value for value, offsets in where.items() if len(offsets) > 1]
        assert not doubled, f"more than once: {doubled[:5]}"
        assert where.keys() <= self.acked.keys() | self.unknown, "records that nobody wrote"
        _check_order([(at, v) for at, v in records if v.decode() in self.acked])

    # The threads.

    def _turns(self, first: int) -> Callable[[], str]:
        """A member to ask, another one each time."""
        turn = first

        def next_one() -> str:
            nonlocal turn
            turn += 1
            endpoints = self.endpoints
            return endpoints[turn % len(endpoints)]

        return next_one

    def _sure(self, name: str, first: int) -> None:
        pick = self._turns(first)
        session = self._session(name, pick)
        address, sequence = pick(), 0
        while session is not None and not self._stop.is_set():
            value = f"{name}-{sequence}"
            # With its own timestamp: a repeat must be the same batch, byte for byte.
            headers = {
                **OCTETS, **session,
                "Producer-Sequence": str(sequence),
                "Replog-Timestamp-Ms": str(time.time_ns() // 1_000_000),
            }  # fmt: skip
            with self._lock:
                self.unknown.add(value)
            while not self._append(value, address, headers, self.refusals):
                if self._stop.wait(PAUSE_S):
                    return
                address = pick()
            sequence += 1
            time.sleep(PAUSE_S)

    def _session(self, name: str, pick: Callable[[], str]) -> dict[str, str] | None:
        while not self._stop.is_set():
            try:
                found = ask("POST", pick(), "/v1/producers", {"request": name}, timeout_s=CALL_S)
            except (OSError, Refused):
                time.sleep(0.1)
            else:
                return {
                    "Producer-Id": str(found["producer_id"]),
                    "Producer-Epoch": str(found["epoch"]),
                }
        return None

    def _single(self, name: str, first: int) -> None:
        pick = self._turns(first)
        number = 0
        while not self._stop.is_set():
            if not self.append_once(f"{name}-{number}", pick()):
                time.sleep(2 * PAUSE_S)
            number += 1
            time.sleep(PAUSE_S)

    def append_once(self, value: str, address: str, timeout_s: float = CALL_S) -> bool:
        """Append without a session, once; whether it was acknowledged. What was told is noted."""
        with self._lock:
            self.unknown.add(value)
        return self._append(value, address, OCTETS, self.single_refusals, timeout_s)

    def _append(
        self,
        value: str,
        address: str,
        headers: dict[str, str],
        refusals: Counter[Any],
        timeout_s: float = CALL_S,
    ) -> bool:
        try:
            status, content, _ = call(
                "POST", address, "/v1/records", value.encode(), headers=headers, timeout_s=timeout_s
            )
        except (OSError, http.client.HTTPException) as problem:
            refusals[0, *_unanswered(problem)] += 1
            return False
        answer = refusal_of(content)
        if status == 200:
            self._note_acked(value, answer["base_offset"])
            return True
        outcome = str(answer.get("outcome"))
        refusals[status, str(answer.get("code")), outcome] += 1
        if refusals is self.single_refusals and outcome == "none":
            with self._lock:
                self.unknown.discard(value)
                self.none.add(value)
        if not (answer.get("retryable") or answer.get("code") == "removed"):
            self.lies.append(f"{value} was refused for good: {answer}")
        return False

    def _note_acked(self, value: str, offset: int) -> None:
        now_s = time.monotonic()
        with self._lock:
            if self._acked_s:
                self.longest_gap_s = max(self.longest_gap_s, now_s - self._acked_s)
            self._acked_s = now_s
            self.unknown.discard(value)
            self.acked[value] = offset
            self._newest = max(self._newest, (offset, value))

    def _read(self, first: int) -> None:
        pick = self._turns(first)
        while not self._stop.is_set():
            self.read_newest(pick())
            time.sleep(2 * PAUSE_S)

    def read_newest(self, address: str, timeout_s: float = CALL_S) -> str:
        """Read the newest acknowledged record at a member; returns "seen" or a refusal's code.

        An answer without that record is noted as a lie.
        """
        offset, value = self.newest
        if offset < 0:
            return "nothing"
        path = f"/v1/records?from={offset}&limit=1"
        try:
            status, content, _ = call("GET", address, path, timeout_s=timeout_s)
        except (OSError, http.client.HTTPException) as problem:
            return type(problem).__name__
        answer = refusal_of(content)
        if status == 200:
            seen = [(r["offset"], r.get("value")) for r in answer["records"]]
            if seen != [(offset, value)]:
                self.lies.append(f"{address} does not show {value} at {offset}: {answer}")
            with self._lock:
                self.reads += 1
            return "seen"
        if status == 416:
            self.lies.append(f"{address} says that {offset} is beyond the end: {answer}")
        return str(answer.get("code"))


def _unanswered(problem: Exception) -> tuple[str, str]:
    """How a call ended without an answer, and its outcome: who wasn't reached did nothing."""
    reason = getattr(problem, "reason", problem)
    refused = isinstance(reason, ConnectionRefusedError)
    return type(reason).__name__, "none" if refused else "unknown"


def _check_order(records: Sequence[tuple[int, bytes]]) -> None:
    """Each writer's acknowledged records stand in the order in which it wrote them.

    One that was never acknowledged may come later than its writer's next one.
    """
    newest: dict[str, int] = {}
    for offset, value in records:
        name, _, number = value.decode().partition("-")
        assert int(number) > newest.get(name, -1), f"out of order at {offset}: {value!r}"
        newest[name] = int(number)


def check_everything(load: Load, nodes: Cluster) -> None:
    """After the load: every member shows the same log, and it is what the load was told."""
    records = nodes.records()
    load.check(records)
    assert load.reads, "nobody has read anything"
    assert len(load.acked) > 50, f"only {len(load.acked)} records: {load.refusals}"
