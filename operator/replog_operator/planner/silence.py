"""Why members do not answer, for people: their pods' own word, else that of who asked them.

Decides: how much of it is told. Must not know: what is waited for.
Read next: facts.py, founding.py, membership.py.
"""

from collections.abc import Iterable
from typing import Final

from replog_operator.planner.facts import Facts

TOLD_MAX: Final = 3
"""Members whose reason is told; the others are named."""
REASON_CHARS: Final = 160


def silences(facts: Facts, ordinals: Iterable[int]) -> str:
    """Each of them: `log-0 (ImagePullBackOff: …), log-2`."""
    return ", ".join(
        _silence(facts, ordinal, told=number < TOLD_MAX)
        for number, ordinal in enumerate(sorted(ordinals))
    )


def _silence(facts: Facts, ordinal: int, *, told: bool) -> str:
    pod = facts.pods.get(ordinal)
    reason = (pod.message if pod is not None else "") or facts.seen.silent.get(ordinal, "")
    reason = " ".join(reason.split())[:REASON_CHARS]
    return f"{facts.spec.name}-{ordinal}" + (f" ({reason})" if told and reason else "")
