"""Exit codes, and how an error reads on a terminal or for a program.

Decides: which failure is which code (docs/cli.md has the same table).
Must not know: commands. Read next: commands.py.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from replog.client import ApiError, OutcomeUnknown, PageDamaged, SessionEnded, Unavailable

EXIT_REFUSED: Final = 1
"""The cluster refused, or an input can't be used; what wasn't acknowledged did not happen."""
EXIT_USAGE: Final = 2
"""The command line is wrong (click's own code)."""
EXIT_UNKNOWN: Final = 3
"""It may or may not have happened."""
EXIT_UNAVAILABLE: Final = 4
"""No member could do it in time; what wasn't acknowledged did not happen."""
EXIT_INTERRUPTED: Final = 130
"""Ctrl-C."""
EXIT_READER_LEFT: Final = 141
"""Whoever read the output has left, as `head` does; what shells show for SIGPIPE."""


class Failure(Exception):
    """What a command ends with: a message for stderr, an exit code, and a problem for programs."""

    def __init__(self, message: str, code: int, problem: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.problem = problem or {"detail": message}


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command's work to its end; raises Failure, SystemExit (Ctrl-C, lost reader)."""
    try:
        with output_told():
            asyncio.run(_until_interrupted(work))
    except ApiError as refusal:
        raise _refused(refusal) from refusal
    except OutcomeUnknown as problem:
        raise Failure(
            f"it may or may not have been appended: {problem}; read the log to find out",
            EXIT_UNKNOWN,
            {"detail": str(problem), "outcome": "unknown"},
        ) from problem
    except SessionEnded as ended:
        raise _ended(ended) from ended
    except Unavailable as problem:
        raise _unavailable(problem) from problem
    except PageDamaged as problem:
        raise Failure(f"damaged answer: {problem}", EXIT_REFUSED) from problem
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


@contextmanager
def output_told() -> Iterator[None]:
    """A block that writes to standard output: a reader that has left ends the program in silence.

    Raises SystemExit then, and Failure for any other OSError of the block.
    """
    try:
        yield
    except BrokenPipeError:
        _drop_output()
        raise SystemExit(EXIT_READER_LEFT) from None
    except OSError as problem:
        try:
            sys.stdout.flush()
        except OSError:  # it was the output that failed
            _drop_output()
        raise Failure(str(problem), EXIT_REFUSED) from problem


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Do the work; Ctrl-C cancels it.

    The loop's own handler wakes it up whenever the signal comes; Python's plain one may find it
    just falling asleep, and then waits for the next event, which may never come.
    """
    task, interrupted = asyncio.current_task(), False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        if task is not None:
            task.cancel()

    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():  # signals come to no other
        loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        await work
    except asyncio.CancelledError:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _drop_output() -> None:
    """Python flushes stdout once more at its end; that must not fail again, as exit code 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _ended(ended: SessionEnded) -> Failure:
    match ended.__cause__:
        case ApiError() as refusal:
            return _refused(refusal)
        case Unavailable() as problem:
            return _unavailable(problem)
        case _:
            return Failure(str(ended), EXIT_UNKNOWN, {"detail": str(ended), "outcome": "unknown"})


def _refused(refusal: ApiError) -> Failure:
    code = EXIT_UNKNOWN if refusal.outcome == "unknown" else EXIT_REFUSED
    if refusal.retryable and refusal.outcome == "none":
        code = EXIT_UNAVAILABLE
    message = f"{refusal.row.title.lower()}: {refusal.detail} ({refusal.row.next})"
    return Failure(message, code, refusal.problem())


def _unavailable(problem: Unavailable) -> Failure:
    told = {"detail": problem.detail, "outcome": problem.outcome}
    if problem.outcome == "unknown":
        message = f"no answer, so it may have happened: {problem.detail}"
        return Failure(message, EXIT_UNKNOWN, told)
    message = f"no member answered: {problem.detail}. Is `replog up` running, is --endpoint right?"
    return Failure(message, EXIT_UNAVAILABLE, told)
