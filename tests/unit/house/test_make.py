"""What a newcomer's make says before there is anything to run."""

import os
import re
from pathlib import Path
from subprocess import CompletedProcess, run

from tests.unit.house.files import ROOT, text_of

OLD_PYTHON = """#!/bin/sh
exec python3 -c 'import sys
sys.version_info, sys.version = (3, 10, 2, "final", 0), "3.10.2 (old)"
exec(sys.argv[1])' "$2"
"""


def make(*arguments: str) -> CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_says_what_can_be_made() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)
    shown = re.findall(r"^  make ([\w-]+) ", make().stdout, re.MULTILINE)
    assert targets is not None
    assert sorted(targets[1].split()) == sorted(shown)


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text(OLD_PYTHON)
    old.chmod(0o755)
    refused = make("setup", f"PYTHON={old}")
    assert refused.returncode != 0
    assert "Python 3.11 or newer" in refused.stderr
    assert "3.10.2" in refused.stderr


def test_a_missing_python_is_said_to_be_missing() -> None:
    refused = make("setup", "PYTHON=python-that-is-not-here")
    assert refused.returncode != 0
    assert "python-that-is-not-here" in refused.stderr
