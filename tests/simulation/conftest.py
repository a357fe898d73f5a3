"""Which seeds: a few in every run, one with --seed (the option stands in tests/conftest.py)."""

import pytest

SEEDS = 8
"""In every run of the tests; `make sim` and later issues run many more."""


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> list[int]:
    """The seeds to run."""
    one = request.config.getoption("--seed", default=None)
    return list(range(SEEDS)) if one is None else [int(one)]
