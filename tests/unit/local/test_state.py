"""What `replog up` remembers, and what it does with a file that it can't read."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from replog_operator.local.notes import ClaimNote, State, Template, WorkloadNote
from replog_operator.local.state import (
    STATE_BYTES_MAX,
    STATE_NAME,
    StateFile,
    StateNotSaved,
    StateUnusable,
    load,
)

FIRST = State("uid", "/log.yaml", 1, 2)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    file = StateFile(tmp_path, FIRST)
    state = replace(
        FIRST, epoch=3, claims={1: ClaimNote("c", member_id="m")},
        workload=WorkloadNote("w", 3, "t"), templates={"t": Template(("node",), {"a": 1})},
    )  # fmt: skip
    file.save(state)
    assert load(tmp_path) == state == file.now


def test_what_can_not_be_saved_is_told_and_is_not_so(tmp_path: Path) -> None:
    file = StateFile(tmp_path, FIRST)
    in_the_way = tmp_path / f"{STATE_NAME}.new"
    in_the_way.mkdir()
    with pytest.raises(StateNotSaved, match=r"platform.json can't be written: .* tried again"):
        file.save(replace(FIRST, epoch=3))
    assert file.now == FIRST and load(tmp_path) is None
    in_the_way.rmdir()
    file.save(replace(FIRST, epoch=3))
    assert load(tmp_path) == file.now


def test_a_file_that_is_gone_is_written_again(tmp_path: Path) -> None:
    file = StateFile(tmp_path, FIRST)
    file.save(FIRST)
    (tmp_path / STATE_NAME).unlink()
    file.save(file.now)
    assert load(tmp_path) == FIRST


def test_templates_that_nothing_can_come_back_to_are_forgotten(tmp_path: Path) -> None:
    templates = {name: Template((name,)) for name in ("now", "good", "old")}
    workload = WorkloadNote("w", 3, "now", good_template="good")
    StateFile(tmp_path, FIRST).save(replace(FIRST, workload=workload, templates=templates))
    found = load(tmp_path)
    assert found is not None and set(found.templates) == {"now", "good"}


@pytest.mark.parametrize("data", [b"{", b"\xff", b'{"uid": 3}', b" " * (STATE_BYTES_MAX + 1)])
def test_a_file_that_can_not_be_read_is_told_with_what_to_do(tmp_path: Path, data: bytes) -> None:
    (tmp_path / STATE_NAME).write_bytes(data)
    with pytest.raises(StateUnusable, match="move it away"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (replace(FIRST, workload=WorkloadNote("w", 3, "t")), "a template is missing"),
        (
            replace(
                FIRST, workload=WorkloadNote("w", 99_999, "t"), templates={"t": Template(("n",))}
            ),
            "99999 processes",
        ),
        (replace(FIRST, claims={70_000: ClaimNote("c")}), "a member of ordinal 70000"),
        (replace(FIRST, resource="a\0b"), "a path that can't be"),
    ],
)
def test_a_file_that_makes_no_sense_is_told(tmp_path: Path, state: State, told: str) -> None:
    (tmp_path / STATE_NAME).write_bytes(msgspec.json.encode(state))
    with pytest.raises(StateUnusable, match=told):
        load(tmp_path)


def test_a_state_that_can_not_be_written_is_not_in_force(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "missing", FIRST)
    with pytest.raises(OSError, match="missing"):
        file.save(replace(FIRST, epoch=9))
    assert file.now.epoch == 0
