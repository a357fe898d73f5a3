"""Which seeds: a few in every run, or those that --seed or --seeds names (tests/conftest.py)."""

import pytest

SEEDS = 6
"""In every run of the tests; `make sim` with --seeds and later issues run many more."""


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> list[int]:
    """The seeds to run."""
    one = request.config.getoption("--seed", default=None)
    many = request.config.getoption("--seeds", default=None)
    if one is not None:
        return [int(one)]
    return list(range(SEEDS if many is None else int(many)))
