"""Amounts and times as Kubernetes writes them: `10Gi`, `0.5T`, `7d`.

Decides: what such a text means. Must not know: what it is an amount of.
Read next: kube/wishes.py, local/spec.py.
"""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

_BINARY: Final = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_DECIMAL: Final = {letter: 1000**power for power, letter in enumerate("kMGTPE", 1)}
_UNITS: Final[dict[str, Decimal]] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(size) for unit, size in (_BINARY | _DECIMAL).items()},
}
_QUANTITY: Final = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,3})|([a-zA-Z]{0,2}))"
)
_DURATION: Final = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def amount_of(quantity: str) -> Decimal:
    """A quantity as it is. Raises ValueError for what is none."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None or (found[3] or "") not in _UNITS:
        raise ValueError(f"{quantity!r} is no quantity, such as 10Gi")
    number, exponent, unit = found.groups()
    return Decimal(f"{number}e{exponent or 0}") * _UNITS[unit or ""]


def bytes_of(quantity: str) -> int:
    """A quantity in whole bytes, rounded up. Raises ValueError for what is none."""
    return int(amount_of(quantity).to_integral_value(ROUND_CEILING))


def quantity_of(size_bytes: int) -> str:
    """Bytes as a quantity, in the largest binary unit that gives a whole number."""
    for unit, size in sorted(_BINARY.items(), key=lambda each: -each[1]):
        if size_bytes and size_bytes % size == 0:
            return f"{size_bytes // size}{unit}"
    return str(size_bytes)


def ms_of(duration: str) -> int:
    """A duration of one unit, in milliseconds; `0` is none. Raises ValueError for what is none."""
    if duration == "0":
        return 0
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration, such as 10m")
    return int(found[1]) * _MS[found[2]]
