"""Seeds on all cores, as many at once as there are, in order.

Decides: that. Must not know: how a run goes. Read next: failure.py, totals.py.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Final

from tests.simulation.failure import STOPS, attempt, report
from tests.simulation.plan import draw
from tests.simulation.swarm import Result, run_seed
from tests.simulation.totals import Totals

SHOWN_EVERY_S: Final = 60.0
WORKERS: Final = min(8, os.cpu_count() or 1)
FAILURES_MAX: Final = 5
"""After so many failures nothing more is begun."""


def one(seed: int, focus: str = "") -> Result | str:
    """Run a seed; what fails is run again, with its trace kept, and shortened: returns a report."""
    try:
        return run_seed(seed, focus)
    except STOPS:
        failure = attempt(draw(seed, focus))
        if failure is None:
            raise
        return report(failure)


class Many:
    """Runs seeds until they or the time are at an end. shown: tell now and then how far it is.

    focus: of profiles.FOCUSES, "" for the swarm's own seeds.
    """

    def __init__(
        self, *, until_s: float | None = None, shown: bool = False, focus: str = ""
    ) -> None:
        self._focus = focus
        self.totals = Totals()
        self.failures: list[str] = []
        self._until_s = until_s
        self._shown = shown
        self._told_s = time.monotonic()

    def run(self, seeds: Iterator[int]) -> None:
        """Run them all; Ctrl-C or SIGTERM ends it early, with what has been done until then."""
        running: set[Future[Result | str]] = set()
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            try:
                while True:
                    while len(running) <= WORKERS and (seed := self._next(seeds)) is not None:
                        running.add(pool.submit(one, seed, self._focus))
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._take(future.result())
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
            except BrokenProcessPool as problem:
                self.failures.append(f"a process of the simulation died: {problem}")

    def _next(self, seeds: Iterator[int]) -> int | None:
        late = self._until_s is not None and time.monotonic() > self._until_s
        if late or len(self.failures) >= FAILURES_MAX:
            return None
        return next(seeds, None)

    def _take(self, done: Result | str) -> None:
        if isinstance(done, str):
            self.failures.append(done)
            self._say(self.failures[-1])
            return
        self.totals.add(done)
        if self._shown and time.monotonic() - self._told_s > SHOWN_EVERY_S:
            self._told_s = time.monotonic()
            self._say(self.totals.lines()[0] + "\n")

    def _say(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
