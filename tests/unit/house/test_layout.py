"""Where things lie, as the design says; the traps that this avoids are in docs/decisions."""

import operator
import os
import stat
import sys
import sysconfig
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import hatchling.build
import pytest

from replog_operator.definitions import DEFINITIONS
from tests.unit.house.files import ROOT, project_files

TOP_LEVEL = {
    ".ci",
    ".dockerignore",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "charts",
    "docs",
    "manifests",
    "node",
    "operator",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements.lock",
    "tests",
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def python_folders(*roots: str) -> set[Path]:
    """Return the folders below these roots, and those between, that hold Python files."""
    found = {Path(path).parent for path in project_files(".py") if path.startswith(roots)}
    return found | {
        parent for folder in found for parent in folder.parents if len(parent.parts) > 1
    }


def test_the_source_roots_are_no_packages() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not (ROOT / "node" / "__init__.py").exists()


def test_the_standard_library_keeps_its_operator_module() -> None:
    standard = Path(sysconfig.get_path("stdlib"))
    assert standard in Path(operator.__file__).parents


def test_no_test_folder_takes_the_name_of_a_standard_module() -> None:
    names = {folder.name for folder in python_folders("tests/")}
    assert names & sys.stdlib_module_names == set()


def test_every_python_folder_is_a_package() -> None:
    below_roots = {f for f in python_folders("node/", "operator/", "tests/") if len(f.parts) > 1}
    bare = sorted(str(f) for f in below_roots if not (ROOT / f / "__init__.py").is_file())
    assert bare == []


def test_nothing_unknown_lies_at_the_top() -> None:
    found = {path.split("/")[0] for path in project_files()}
    assert sorted(found - TOP_LEVEL) == []


def test_ci_can_run_its_script() -> None:
    assert os.stat(ROOT / ".ci" / "run").st_mode & stat.S_IXUSR


@pytest.mark.parametrize(
    "entry",
    [
        *PROJECT["scripts"].values(),
        *PROJECT["entry-points"]["replog.commands"].values(),
        *PROJECT["entry-points"]["replog.verify"].values(),
    ],
)
def test_each_installed_command_leads_to_a_function(entry: str) -> None:
    module, _, function = entry.partition(":")
    assert callable(getattr(import_module(module), function))


def test_the_wheel_holds_the_three_packages_with_their_type_marks_and_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    name = hatchling.build.build_wheel(str(tmp_path))
    with zipfile.ZipFile(tmp_path / name) as wheel:
        files = set(wheel.namelist())
    packages = {path.split("/")[0] for path in files if ".dist-info/" not in path}
    assert packages == {"replog", "replog_node", "replog_operator"}
    assert {f"{package}/py.typed" for package in packages} <= files
    assert {f"replog_operator/resource/{name}" for name in DEFINITIONS} <= files
