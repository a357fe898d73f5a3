"""Every oracle has been seen to fail, and says that it was it."""

from importlib import import_module
from pkgutil import iter_modules

import pytest

from tests.simulation import oracles, violations
from tests.simulation.oracles.oracle import Broken, Oracle
from tests.simulation.violations.registry import VIOLATIONS, Violation


def _load(package: object) -> None:
    for module in iter_modules(package.__path__):  # type: ignore[attr-defined]
        import_module(f"{package.__name__}.{module.name}")  # type: ignore[attr-defined]


_load(oracles)
_load(violations)
ORACLES = sorted(Oracle.__subclasses__(), key=lambda oracle: oracle.name)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("oracle", "violation"),
    VIOLATIONS,
    ids=[f"{oracle.name}: {violation.__name__}" for oracle, violation in VIOLATIONS],
)
def test_an_oracle_sees_what_it_is_for(oracle: type[Oracle], violation: Violation) -> None:
    with pytest.raises(Broken) as seen:
        violation()
    assert seen.value.oracle == oracle.name
    assert oracle.name in str(seen.value)


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_every_oracle_has_a_violation(oracle: type[Oracle]) -> None:
    assert any(oracle is broken for broken, _ in VIOLATIONS), f"nobody has seen {oracle.name} fail"


def test_no_two_oracles_have_one_name() -> None:
    assert len({oracle.name for oracle in ORACLES}) == len(ORACLES)
