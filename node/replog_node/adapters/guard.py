"""What must end the node when it fails: calls of the driver that come from outside of it.

Decides: that such a failure is told before it goes on. Must not know: how the node ends.
Read next: peers.py, io_thread.py, clock.py.
"""

from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")

OnFailure = Callable[[BaseException], None]
"""Told of what a node can't go on after; called on the event loop."""


def guarded(
    on_failure: OnFailure, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Call; whatever it raises is told, then raised on."""
    try:
        call(*args, **kwargs)
    except BaseException as problem:
        on_failure(problem)
        raise
