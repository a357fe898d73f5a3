"""The sources keep the rules of docs/testing.md that no other tool checks."""

from collections.abc import Callable, Iterable

from tests.unit.house import rules
from tests.unit.house.files import is_product, project_files, text_of

# The locks hold hashes alone, the licence is not our text.
NOT_OURS = ("requirements.lock", "requirements-dev.lock", "LICENSE")


def faults(rule: Callable[[str], list[str]], paths: Iterable[str]) -> list[str]:
    return [f"{path}:{fault}" for path in paths for fault in rule(text_of(path))]


def test_no_module_is_too_long_to_be_read_in_one_go() -> None:
    assert faults(rules.long_module, project_files(".py")) == []


def test_no_function_is_longer_than_a_screen() -> None:
    assert faults(rules.long_functions, project_files(".py")) == []


def test_each_product_module_says_what_it_decides_and_must_not_know_and_what_to_read_next() -> None:
    modules = [p for p in project_files(".py") if is_product(p) and not p.endswith("__init__.py")]
    assert faults(rules.docstring, modules) == []


def test_no_file_names_a_package_registry() -> None:
    binary = (".png", ".gz", ".bin")
    texts = [path for path in project_files() if not path.endswith(binary)]
    assert faults(rules.registry_hosts, texts) == []


def test_nothing_is_left_unfinished() -> None:
    ours = [p for p in project_files(".py") if p != "tests/unit/house/rules.py"]
    assert faults(rules.unfinished, ours) == []


def test_an_ignored_type_error_is_named() -> None:
    ours = [p for p in project_files(".py") if not p.startswith("tests/unit/house/")]
    assert faults(rules.bare_ignores, ours) == []


def test_no_test_patches_the_code_that_it_tests() -> None:
    ours = [p for p in project_files(".py") if not p.startswith("tests/unit/house/")]
    assert faults(rules.patching, ours) == []


def test_documents_have_one_sentence_a_line() -> None:
    assert faults(rules.sentences, project_files(".md")) == []


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert faults(rules.long_readme, ["README.md"]) == []
