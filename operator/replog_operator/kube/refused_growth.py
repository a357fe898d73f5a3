"""Claims that may not grow, by the word of the API server: remembered, or each pass would ask.

Decides: for how long. Must not know: what is done about it.
Read next: reconcile.py.
"""

from collections.abc import Mapping
from typing import Final

ASK_AGAIN_S: Final = 300.0
"""A storage class may have been changed meanwhile."""
REMEMBERED_MAX: Final = 10_000
"""Past it all is forgotten, and asked once more."""


class RefusedGrowth:
    """Why, by the claim's uid."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, float]] = {}

    def note(self, uid: str, why: str, now_s: float) -> None:
        """It was refused just now."""
        if len(self._found) >= REMEMBERED_MAX:
            self._found.clear()
        self._found[uid] = (why, now_s + ASK_AGAIN_S)

    def known(self, now_s: float) -> Mapping[str, str]:
        """Those that need not be asked again yet."""
        return {uid: why for uid, (why, until_s) in self._found.items() if now_s < until_s}
