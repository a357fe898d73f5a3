"""What a fault is.

Decides: what each kind needs to be told about. Must not know: when they are injected (nemesis.py).
Read next: registry.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.torture.lab import Lab


@dataclass(frozen=True)
class Seen:
    """What was seen of a fault, by its own evidence: whether it took effect, and a sentence."""

    effect: bool
    evidence: str


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    family: two of one family never happen at once. alone: nothing else happens beside it, as it
    needs all members, or takes a good copy away.
    """

    name: str
    family: str
    inject: Callable[[Lab, Random], Seen]
    alone: bool = False
