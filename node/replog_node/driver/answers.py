"""How the driver answers: a callback, called once, with the result or the error.

Decides: that shape, so that asyncio's futures and the simulator's clients fit alike.
Must not know: who waits behind a callback. A callback never calls the driver back in the same turn.
Read next: ledger.py.
"""

from collections.abc import Callable
from typing import TypeVar

from replog.wire.problems import ApiError

T = TypeVar("T")

Reply = Callable[[T | ApiError], None]
"""Called exactly once, within a call of the driver."""
