"""When an object is applied again (replog_operator/kube/apply.py)."""

from typing import Any

import pytest

from replog_operator.kube import apply as apply_module
from replog_operator.kube.apply import APPLIED_HASH, Applied, stamped

WANTED = {
    "kind": "StatefulSet",
    "metadata": {"namespace": "ns", "name": "log", "labels": {"a": "1"}},
    "spec": {"replicas": 3},
}


def stored(version: str = "10", **moved: Any) -> dict[str, Any]:
    """The object as the server has it after our apply."""
    metadata = {"uid": "u", "resourceVersion": version, "generation": 1, **moved}
    found = stamped(WANTED)
    return {**found, "metadata": {**found["metadata"], **metadata}, "status": {"replicas": 0}}


def applied() -> Applied:
    """With one apply remembered."""
    made = Applied()
    made.note(stored())
    return made


def test_what_is_not_there_is_applied_and_then_left_alone() -> None:
    assert Applied().due(WANTED, None)
    assert not applied().due(WANTED, stored())


def test_a_new_status_alone_is_no_reason() -> None:
    assert not applied().due(WANTED, stored(version="11"))


@pytest.mark.parametrize(
    "moved",
    [
        {"generation": 2},
        {"labels": {"a": "2"}},
        {"annotations": {APPLIED_HASH: stamped(WANTED)["metadata"]["annotations"][APPLIED_HASH],
                         "other": "1"}},
        {"uid": "another"},
        {"annotations": {}},
    ],
)  # fmt: skip
def test_what_somebody_changed_is_applied_again(moved: dict[str, Any]) -> None:
    assert applied().due(WANTED, stored(**moved))


def test_what_is_wanted_otherwise_is_applied() -> None:
    assert applied().due({**WANTED, "spec": {"replicas": 5}}, stored())


def test_of_a_kind_without_a_generation_every_change_counts() -> None:
    made = Applied()
    found = stored()
    del found["metadata"]["generation"]
    made.note(found)
    assert not made.due(WANTED, found)
    assert made.due(WANTED, {**found, "metadata": {**found["metadata"], "resourceVersion": "11"}})


def test_a_new_process_applies_each_object_once() -> None:
    made = Applied()
    assert made.due(WANTED, stored())
    made.note(stored())
    assert not made.due(WANTED, stored())


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_module, "REMEMBERED_MAX", 1)
    made = applied()
    made.note(stored(uid="v"))
    assert made.due(WANTED, stored())
    assert not made.due(WANTED, stored(uid="v"))
