"""Places at which a test lets the operator die, to show that the next one goes on from there.

Before and after each write there is one, named by the write. A process dies at the one that
REPLOG_OPERATOR_FAILPOINT names, the first time that it comes there, or, for `#2`, at the second one
that it comes to: hard, as by `kill -9`. Without the variable nothing happens; there is no other way
to set one.

Decides: the names, and that all are listed here, so that a test can go through them.
Must not know: what is written, or why.
Read next: kube/writing.py.
"""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

VARIABLE: Final = "REPLOG_OPERATOR_FAILPOINT"
EXIT_FAILPOINT: Final = 86
"""The exit code of a process that died at one."""

RECOVERY_WRITES: Final = ("fence", "force-members", "unfence")
"""To members of a log that has lost its majority."""
WRITES: Final = (
    "create", "event", "apply", "apply-status", "patch", "delete", "evict",
    "bootstrap", "raise-feature-level", "snapshot", "target", "transfer", *RECOVERY_WRITES,
)  # fmt: skip
"""Kinds of writes: to Kubernetes, then to members."""

LOCAL_WRITES: Final = (
    "state", "aside", "start", "stop", "bootstrap", "raise-feature-level", "target", "transfer",
)  # fmt: skip
"""Of `replog up`: what it remembers, a directory put aside, processes; then to members."""

OWN_WRITES: Final = ("state", "start")
"""Of these: with which every process of it begins, so they are not counted."""

LOCAL_NAMES: Final = tuple(
    f"{when}-{write}" for write in LOCAL_WRITES for when in ("before", "after")
)
NAMES: Final = tuple(f"{when}-{write}" for write in WRITES for when in ("before", "after"))


class UnknownFailpoint(Exception):
    """The variable names none that there is, or the code has one that the list has not."""


def failpoint(
    environment: Mapping[str, str], names: Sequence[str] = NAMES
) -> Callable[[str], None]:
    """What to call at each place, with its name. Raises UnknownFailpoint for none of `names`."""
    chosen = environment.get(VARIABLE, "")
    if not chosen:
        return _pass
    if chosen.startswith("#") and chosen[1:].isdigit():
        return _at_number(int(chosen[1:]), names)
    if chosen not in names:
        raise UnknownFailpoint(f"{VARIABLE}={chosen}: there is only {', '.join(names)}")

    def die(name: str) -> None:
        _check(name, names)
        if name == chosen:
            os._exit(EXIT_FAILPOINT)

    return die


def _at_number(number: int, names: Sequence[str]) -> Callable[[str], None]:
    reached = itertools.count(1)

    def die(name: str) -> None:
        _check(name, names)
        if name.partition("-")[2] not in OWN_WRITES and next(reached) >= number:
            os._exit(EXIT_FAILPOINT)

    return die


def _check(name: str, names: Sequence[str]) -> None:
    """A place that no test goes to must not pass for one that all do."""
    if name not in names:
        raise UnknownFailpoint(f"{name} stands in the code, and not in the list")


def _pass(name: str) -> None:
    """No place is set."""
