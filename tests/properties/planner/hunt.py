"""Goes all ways, dies at each write of some, and tries random ones: ends with 1 if anything breaks.

`python -m tests.properties.planner.hunt` runs against the planner that it imports, which a test may
have changed (test_mutants.py).
"""

from __future__ import annotations

import sys

from hypothesis import given, settings

from tests.properties.planner.paths import PATHS, TASK_PATHS
from tests.properties.planner.test_gates import (
    GATES,
    test_a_gate_holds_the_members_and_says_why,
    test_a_member_that_lags_holds_the_roll,
)
from tests.properties.planner.test_paths import (
    test_a_way_is_gone_to_its_end,
    test_an_operator_that_dies_at_any_write_is_gone_on_from,
)
from tests.properties.planner.test_random import LISTS, REPLICAS, check_random
from tests.properties.planner.test_tasks import (
    test_an_operator_that_dies_at_any_write_does_it_once_all_the_same,
    test_what_is_asked_for_is_done_once,
)

EXAMPLES = 600


def hunt() -> None:
    """Raise what is found first."""
    for path in PATHS:
        test_a_way_is_gone_to_its_end(path)
    for path in TASK_PATHS:
        test_what_is_asked_for_is_done_once(path)
        test_an_operator_that_dies_at_any_write_does_it_once_all_the_same(path, after=False)
    tried = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    tried(given(replicas=REPLICAS, events=LISTS)(check_random))()
    for code, happens in GATES:
        test_a_gate_holds_the_members_and_says_why(code, happens)
    test_a_member_that_lags_holds_the_roll()
    for path in PATHS:
        test_an_operator_that_dies_at_any_write_is_gone_on_from(path, after=True)


if __name__ == "__main__":
    try:
        hunt()
    except AssertionError as found:
        sys.stdout.write(f"caught: {type(found).__name__}: {str(found)[:300]}\n")
        raise SystemExit(1) from found
