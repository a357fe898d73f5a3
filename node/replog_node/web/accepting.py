"""Which of the types that a route has a caller accepts (RFC 9110, section 12.5.1).

Decides: the negotiated type; weights and wildcards count, parameters other than q don't.
Must not know: what the types look like.
Read next: client_routes.py.
"""

from collections.abc import Sequence

from replog.wire.problems import ApiError

ACCEPT_CHARS_MAX = 1024
"""A longer Accept is refused: nobody means it."""


def negotiated(accept: str | None, offered: Sequence[str]) -> str:
    """The offered type that the caller prefers, the first of equals; raises not_acceptable."""
    if accept is None or accept == "*/*":
        return offered[0]
    if accept in offered:
        return accept
    ranges = _ranges(accept) if len(accept) <= ACCEPT_CHARS_MAX else {}
    best = max(offered, key=lambda kind: _weight(kind, ranges))
    if _weight(best, ranges) <= 0:
        raise ApiError(
            "not_acceptable",
            f"Accept allows none of {', '.join(offered)}",
            supported=list(offered),
        )
    return best


def _ranges(accept: str) -> dict[str, float]:
    """Media range -> weight; a malformed weight counts as none."""
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [text[2:] for text in parameters if text.startswith("q=")]
        ranges[kind] = _quality(weights[0]) if weights else 1.0
    return ranges


def _quality(text: str) -> float:
    """A weight of 0 to 1; 0 if it is none."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0


def _weight(kind: str, ranges: dict[str, float]) -> float:
    """The weight of the most specific range that fits the type; 0 if none does."""
    family = kind.partition("/")[0]
    for fitting in (kind, f"{family}/*", "*/*"):
        if fitting in ranges:
            return ranges[fitting]
    return 0.0
