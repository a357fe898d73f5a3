"""The file that is followed: when it counts, and how it is edited."""

import os
from pathlib import Path

import pytest

from replog_operator.local.followed import (
    Followed,
    new_resource,
    read_resource,
    set_replicas,
    with_replicas,
)
from replog_operator.local.spec import SpecFaults, parse_spec

BLOCK = """\
# Ours. Ask before you touch it.
apiVersion: replog.dev/v1alpha1
kind: ReplicatedLog
metadata: {name: orders}
spec:
  log:
    segmentBytes: 4Mi   # small
  replicas:   3     # odd
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BLOCK, BLOCK.replace("replicas:   3 ", "replicas:   5 ")),
        (
            BLOCK.replace("  replicas:   3     # odd\n", ""),
            BLOCK.replace("  replicas:   3     # odd\n", "").replace(
                "spec:\n  log:", "spec:\n  replicas: 5\n  log:"
            ),
        ),
        ("spec: {replicas: 3, suspend: true}", "spec: {replicas: 5, suspend: true}"),
        ("spec: {suspend: true}", "spec: {replicas: 5, suspend: true}"),
        ("spec: {}", "spec: {replicas: 5}"),
    ],
    ids=["block", "block without", "flow", "flow without", "empty"],
)
def test_only_the_number_changes(before: str, after: str) -> None:
    assert with_replicas(before, 5) == after


@pytest.mark.parametrize("text", ["spec: 3", "a: b", "[", ""])
def test_what_has_no_spec_is_refused(text: str) -> None:
    with pytest.raises(SpecFaults):
        with_replicas(text, 5)


def test_a_number_that_can_not_be_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "log.yaml"
    file.write_text(BLOCK)
    with pytest.raises(SpecFaults, match="choose an odd number"):
        set_replicas(file, 4)
    assert file.read_text() == BLOCK and os.listdir(tmp_path) == ["log.yaml"]


def test_the_file_behind_a_link_is_edited_and_keeps_its_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "real.yaml", tmp_path / "log.yaml"
    file.write_text(BLOCK)
    file.chmod(0o600)
    link.symlink_to(file)
    set_replicas(link, 5)
    assert link.is_symlink() and read_resource(file).replicas == 5
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_a_new_resource_can_be_followed(replicas: int) -> None:
    assert parse_spec(new_resource("mine", replicas)).replicas == replicas


def test_an_edit_is_seen_once_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    file, told = tmp_path / "log.yaml", list[str]()
    file.write_text(BLOCK)
    followed = Followed(file, read_resource(file), told.append)
    assert followed.look().replicas == 3 and told == []
    set_replicas(file, 5)
    assert [followed.look().replicas, followed.look().replicas] == [5, 5]
    assert told == [f"{file} was edited"]
    told.clear()
    file.write_text("spec: [")
    assert [followed.look().replicas, followed.look().replicas] == [5, 5]
    assert told[0] == f"{file} can't be followed, so nothing changes:" and len(told) == 2
    file.unlink()
    assert followed.look().replicas == 5


def test_the_number_of_the_command_line_wins_over_the_file_s(tmp_path: Path) -> None:
    file = tmp_path / "log.yaml"
    file.write_text(BLOCK)
    followed = Followed(file, read_resource(file), lambda _: None, 1)
    set_replicas(file, 5)
    assert followed.look().replicas == 1
