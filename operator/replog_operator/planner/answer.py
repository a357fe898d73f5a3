"""What a lane has to say in one pass: a step, or waits, or nothing.

Decides: that a lane which waits takes no step. Must not know: which lanes there are.
Read next: plan.py.
"""

from collections.abc import Iterable
from typing import NamedTuple

from replog_operator.model.observed import Claim, Pod, Workload
from replog_operator.model.steps import Object, Step


class Do(NamedTuple):
    """Take this step. why: one sentence."""

    step: Step
    why: str


class Hold(NamedTuple):
    """Wait: a code of replog.wire.codes and what is so just now."""

    code: str
    evidence: str


Answer = Do | Hold | None
"""None: nothing to do here, so whoever is asked next may go on."""


def the(found: Pod | Claim | Workload) -> Object:
    """The reference by which a deed names a pod, a claim or the workload."""
    return Object(found.name, found.uid, found.resource_version)


def names(name: str, ordinals: Iterable[int]) -> str:
    """Pods for people: `log-0, log-2`."""
    return ", ".join(f"{name}-{ordinal}" for ordinal in sorted(ordinals))
