"""Planners that are wrong in one place are caught: each line below is a real line, and its ruin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.unit.house.files import ROOT


class Mutant(NamedTuple):
    """old stands once in the file."""

    name: str
    file: str
    old: str
    new: str


MUTANTS: Final = (
    Mutant("founds over data that was lost", "founding.py",
           "lost = [found for found in stamped if not _may_found(found, member)]", "lost = []"),
    Mutant("founds before the claim is stamped", "founding.py",
           "if claim is not None and not claim.member_id:", "if claim is None:"),
    Mutant("deletes the claim of a member", "size.py",
           "if claim.member_id in facts.member_ids or _was_made_empty(claim):", "if False:"),
    Mutant("forgets to retire", "size.py",
           'return Do(RetireClaim(the(claim)), f"the member of {claim.name} is removed")',
           "return None"),
    Mutant("starts a pod over a retired claim", "size.py",
           "answer = _ready_to_run(facts, ordinal)\n", "answer = None\n"),
    Mutant("never asks whether a member may stop", "roll.py",
           "refusal = _refusal(facts, ordinal)\n", "refusal = None\n"),
    Mutant("takes the next while the last is not well", "roll.py",
           "    if unwell:\n", "    if unwell and not outdated:\n"),
    Mutant("the canary never fails", "roll.py",
           "if facts.seen.now_s - first_s <= facts.spec.update_timeout_s:", "if True:"),
    Mutant("nothing is given up while nobody leads", "plan.py",
           "(grow, give_up, unstick, begin)", "(grow, unstick, begin)"),
    Mutant("tries what was given up again", "objects.py",
           "if wanted == workload.bad_template and not retry:", "if False:"),
    Mutant("a silent member is dropped", "membership.py",
           "elif member is not None and _has_its_disk",
           "elif False and member is not None and _has_its_disk"),
    Mutant("an operator is in charge whatever the log says", "authority.py",
           "    if refusal is not None:\n        return refusal\n", "    del refusal\n"),
    Mutant("never claims the log for its epoch", "authority.py",
           "return None if status.joint else _claim(facts.leader, status, status.target, seen)",
           "return None"),
    Mutant("a task to lead never ends", "tasks.py",
           "if facts.status.member == task.subject:", "if False:"),
    Mutant("who is no member is told to lead", "tasks.py",
           "if task.subject not in facts.member_ids:", "if False:"),
    Mutant("what was acknowledged is forgotten", "size.py",
           "if not (claim.retired or claim.member_id or _acknowledged(facts, claim)):",
           "if not (claim.retired or claim.member_id):"),
    Mutant("a try asked for is none", "objects.py",
           "if wanted == workload.bad_template and not retry:",
           "if wanted == workload.bad_template:"),
    Mutant("a try never ends", "objects.py", "forget_bad=retry", "forget_bad=False"),
    Mutant("an acknowledgement ends before its deed", "tasks.py",
           'return _finish(task, not there, f"{task.subject} is gone")',
           'return _finish(task, True, f"{task.subject} is gone")'),
    Mutant("a removed member is left where one is wanted", "size.py",
           "facts.is_removed(ordinal) or", "False or"),
    Mutant("who is on a retired disk becomes a member", "size.py",
           "or _is_spent(facts, ordinal) or _left", "or _left"),
    Mutant("who was removed and never told is taken for a member", "facts.py",
           'if answer.state == "removed" or status is None:', "if True:"),
    Mutant("what is not committed is taken as done", "facts.py",
           "and status.configuration_offset <= status.commit_offset", ""),
    Mutant("members above a retired disk are not looked for", "size.py",
           "if at >= max(running, needed)]", "if at >= running and facts.claims[at].retired]"),
    Mutant("a member goes on alone before its lineage is noted", "recovery.py",
           "if facts.seen.decided != (number, task.subject):", "if False:"),
    Mutant("nobody need say who is stopped", "recovery.py",
           "fault = _moved(now, found, operation) or _not_stopped(now, task)",
           "fault = _moved(now, found, operation)"),
    Mutant("the disk of who was left out is given up by nobody", "facts.py",
           "if number_of(answer.lineage) < number_of(status.lineage):", "if False:"),
    Mutant("a survey that was taken back fences on", "recovery.py",
           "if taken_back is not None:", "if False:"),
)  # fmt: skip


def hunted(copy: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """What the hunt finds in this copy of the operator."""
    environment = {**os.environ, "PYTHONPATH": f"{copy}:{ROOT / 'node'}:{ROOT}"}
    return subprocess.run(
        [sys.executable, "-m", "tests.properties.planner.hunt"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "operator", tmp_path / "operator"))


def test_nothing_is_found_in_the_planner_as_it_is(tmp_path: Path) -> None:
    done = hunted(copied(tmp_path), tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planner_that_is_wrong_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    copy = copied(tmp_path)
    place = copy / "replog_operator" / "planner" / mutant.file
    text = place.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} no longer has this line once"
    place.write_text(text.replace(mutant.old, mutant.new))
    done = hunted(copy, tmp_path)
    assert done.returncode == 1 and done.stdout.startswith("caught: "), done.stdout + done.stderr
