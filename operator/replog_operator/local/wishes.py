"""The parts `log` and `update` of a resource: their faults, and the settings that follow.

Decides: that. Must not know: the rest of the resource (spec.py).
Read next: spec.py, ../quantities.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from replog_operator.local.faults import shown, unknown
from replog_operator.quantities import bytes_of, ms_of

_MI: Final = 1024 * 1024
SIZES: Final[Mapping[str, tuple[str, int, int, str]]] = {
    "retentionBytes": ("retention_bytes", 0, 2**62, "a quantity such as 100Gi"),
    "segmentBytes": ("segment_bytes", 2 * _MI, 1024 * _MI, "a quantity from 2Mi to 1Gi"),
    "snapshotBytes": ("snapshot_bytes", 64 * 1024, 16 * 1024 * _MI, "a quantity from 64Ki to 16Gi"),
}
"""Field: the node's setting, the least, the most, in words."""
AGE: Final = "retentionAge"
DEFAULT_TIMEOUT: Final = "10m"
STRATEGIES: Final = ("LeaderLast", "OnDelete")

_AGE_FORM: Final = re.compile(r"0|[0-9]{1,7}(ms|s|m|h|d)")
_TIMEOUT_FORM: Final = re.compile(r"[0-9]{1,6}(s|m|h)")
_TIMEOUT_S: Final = range(10, 24 * 3600 + 1)


def settings_of(log: Mapping[str, Any]) -> dict[str, int]:
    """Of every node, from a part that has no faults; what is left out is the node's default."""
    found = {
        setting: bytes_of(str(log[field]))
        for field, (setting, _, _, _) in SIZES.items()
        if field in log
    }
    if AGE in log:
        found["retention_age_ms"] = ms_of(str(log[AGE]))
    return found


def log_faults(log: Any) -> Iterator[str]:
    """What is wrong with `log`."""
    if not isinstance(log, dict):
        yield "spec.log: a mapping is needed"
        return
    yield from unknown("spec.log.", log, (*SIZES, AGE))
    for field, (_, least, most, words) in SIZES.items():
        if field in log and not _is_within(bytes_of, log[field], least, most):
            yield f"spec.log.{field}: {shown(log[field])}, expected {words}"
    if AGE in log and not _AGE_FORM.fullmatch(_text(log[AGE])):
        yield f"spec.log.{AGE}: {shown(log[AGE])}, expected a duration such as 168h or 7d"


def update_faults(update: Any) -> Iterator[str]:
    """What is wrong with `update`."""
    if not isinstance(update, dict):
        yield "spec.update: a mapping is needed"
        return
    yield from unknown("spec.update.", update, ("strategy", "timeout"))
    if update.get("strategy", STRATEGIES[0]) not in STRATEGIES:
        words = " or ".join(STRATEGIES)
        yield f"spec.update.strategy: {shown(update['strategy'])}, expected {words}"
    timeout = update.get("timeout", DEFAULT_TIMEOUT)
    text = _text(timeout)
    if not _TIMEOUT_FORM.fullmatch(text) or ms_of(text) // 1000 not in _TIMEOUT_S:
        yield f"spec.update.timeout: {shown(timeout)}, expected from 10s to 24h"


def _is_within(read: Callable[[str], int], value: Any, least: int, most: int) -> bool:
    try:
        return least <= read(_text(value)) <= most
    except ValueError:
        return False


def _text(value: Any) -> str:
    """A short text or number as it was written; "" for all else, which may stand for gigabytes."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _NUMBER_MOST:
        return str(value)
    return value if isinstance(value, str) and len(value) <= _CHARS_MAX else ""


_CHARS_MAX: Final = 20
_NUMBER_MOST: Final = 10**18
