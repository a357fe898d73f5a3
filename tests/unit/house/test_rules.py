"""Each rule is seen failing on the smallest text that breaks it, and passing on its neighbour."""

from collections.abc import Callable

import pytest

from tests.unit.house import rules

Rule = Callable[[str], list[str]]


def function_of(lines: int) -> str:
    return "def f() -> None:\n" + "    pass\n" * (lines - 1)


COMPLETE = '"""What.\n\nDecides: a.\nMust not know: b.\nRead next: c.\n"""\n'
HOST = "pypi" + ".org"
SAMPLES: list[tuple[Rule, str, str]] = [
    (rules.long_module, "\n" * 601, "\n" * 600),
    (rules.long_functions, function_of(71), function_of(70)),
    (rules.docstring, '"""What."""\n', COMPLETE),
    (rules.docstring, COMPLETE.replace("Read next:", "See"), COMPLETE),
    (rules.docstring, "x = 1\n", COMPLETE),
    (rules.registry_hosts, f"see https://files.{HOST}/simple\n", "see the registry\n"),
    (rules.unfinished, "x = 1  # TO" + "DO: later\n", "x = 1  # to do it later is wrong\n"),
    (rules.unfinished, "raise NotImplemented" + "Error\n", "return NotImplemented\n"),
    (rules.bare_ignores, "x = f()  # type: " + "ignore\n", "x = f()  # type: ignore[misc]\n"),
    (rules.patching, "with mock" + ".patch('a'):\n", "with fake_disk() as disk:\n"),
    (rules.sentences, "It is so. It stays so.\n", "It is so.\nIt stays so.\n"),
    (rules.sentences, "- It is so. (Or not.)\n", "1. It is so (cf. `a.B c`), e.g. Kafka.\n"),
    (rules.sentences, "Is it `x`? It is.\n", "```\nIs it. It is.\n```\n| a. B | c. D |\n"),
    (rules.long_readme, "line\n" * 201, "line\n" * 200),
]


@pytest.mark.parametrize(("rule", "broken", "kept"), SAMPLES)
def test_a_rule_names_what_breaks_it_and_nothing_else(rule: Rule, broken: str, kept: str) -> None:
    assert len(rule(broken)) >= 1
    assert rule(kept) == []


def test_a_fault_names_the_line_that_it_is_on() -> None:
    assert rules.sentences("Fine.\nOne. Two.\n") == ["2: more than one sentence on a line"]
