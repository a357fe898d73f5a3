"""Prometheus' own tool reads the alerts, and sees each of them firing and not firing."""

import shutil
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import yaml

from tests.support.queries import rules
from tests.unit.house.files import ROOT, text_of

ALERTS = ROOT / "operator" / "replog_operator" / "resource" / "alerts.yaml"
TESTS = "tests/unit/delivery/alerts_test.yaml"
TOOL_S = 60


def promtool(*arguments: str | Path) -> tuple[int, str]:
    """Its exit code, and what it said; the test is left out where it isn't installed."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is missing: install Debian's package prometheus")
    done = run([program, *arguments], capture_output=True, text=True, timeout=TOOL_S, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_alerts_are_rules() -> None:
    code, said = promtool("check", "rules", ALERTS)

    assert code == 0, said
    assert f"{len(rules())} rules found" in said


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    code, said = promtool("test", "rules", ROOT / TESTS)

    assert code == 0, said


def test_an_alert_that_fires_too_late_would_be_seen(tmp_path: Path) -> None:
    broken = tmp_path / "alerts.yaml"
    broken.write_text(ALERTS.read_text().replace("for: 1m", "for: 1h"))
    tests: Any = yaml.safe_load(text_of(TESTS))
    tests["rule_files"] = [str(broken)]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))

    code, said = promtool("test", "rules", tmp_path / "tests.yaml")

    assert code != 0
    assert "FAILED" in said and "ReplogUnavailable" in said


def test_no_alert_is_without_both() -> None:
    asked: Any = [each for test in yaml.safe_load(text_of(TESTS))["tests"]
                  for each in test["alert_rule_test"]]  # fmt: skip
    firing = {each["alertname"] for each in asked if each["exp_alerts"]}
    quiet = {each["alertname"] for each in asked if not each["exp_alerts"]}

    assert firing == quiet == {rule["alert"] for rule in rules()}
