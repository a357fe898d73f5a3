"""When an object is applied again (replog_operator/kube/apply.py)."""

from collections.abc import Callable
from typing import Any

import pytest

from replog_operator.kube import apply as apply_module
from replog_operator.kube.apply import APPLIED_HASH, Applied, stamped

WANTED = {
    "kind": "Service",
    "metadata": {"namespace": "ns", "name": "log", "labels": {"a": "1"}},
    "spec": {"type": "ClusterIP", "ports": [{"name": "client", "port": 7401}]},
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
    assert Applied().must_apply(WANTED, None)
    assert not applied().must_apply(WANTED, stored())


def test_a_new_status_alone_is_no_reason() -> None:
    assert not applied().must_apply(WANTED, stored(version="11"))


def edited(**changes: Any) -> dict[str, Any]:
    """The object after somebody has changed something."""
    found = stored(version="11", generation=2)
    return {**found, **{name: {**found[name], **change} for name, change in changes.items()}}


HASH = stamped(WANTED)["metadata"]["annotations"][APPLIED_HASH]


@pytest.mark.parametrize(
    "found",
    [
        edited(metadata={"labels": {"a": "2"}}),
        edited(metadata={"labels": {}}),
        edited(metadata={"annotations": {}}),
        edited(metadata={"annotations": None}),
        edited(spec={"type": "NodePort"}),
        edited(spec={"ports": []}),
    ],
)
@pytest.mark.parametrize("made", [Applied, applied], ids=["a new process", "the same"])
def test_what_somebody_changed_is_applied_again(
    made: Callable[[], Applied], found: dict[str, Any]
) -> None:
    assert made().must_apply(WANTED, found)


@pytest.mark.parametrize(
    "found",
    [
        stored(),
        edited(metadata={"labels": {"a": "1", "theirs": "1"}}),
        edited(metadata={"annotations": {APPLIED_HASH: HASH, "theirs": "1"}}),
        edited(spec={"clusterIP": "10.0.0.1"}),
        stored(uid="another"),
    ],
)
@pytest.mark.parametrize("made", [Applied, applied], ids=["a new process", "the same"])
def test_what_is_as_it_should_be_is_left_alone_whoever_touched_it(
    made: Callable[[], Applied], found: dict[str, Any]
) -> None:
    assert not made().must_apply(WANTED, found)


def test_what_a_server_makes_of_our_apply_is_not_applied_for_ever() -> None:
    made, found = Applied(), edited(spec={"type": "LoadBalancer"})
    assert made.must_apply(WANTED, found)
    made.note(found)
    assert not made.must_apply(WANTED, found)
    assert made.must_apply(WANTED, {**found, "metadata": {**found["metadata"], "generation": 3}})


def test_what_is_wanted_otherwise_is_applied() -> None:
    assert applied().must_apply({**WANTED, "spec": {"type": "NodePort"}}, stored())


def test_of_a_kind_without_a_generation_every_change_is_looked_at() -> None:
    made = Applied()
    found = edited(spec={"type": "LoadBalancer"})
    del found["metadata"]["generation"]
    made.note(found)
    assert not made.must_apply(WANTED, found)
    assert made.must_apply(
        WANTED, {**found, "metadata": {**found["metadata"], "resourceVersion": "12"}}
    )


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_module, "REMEMBERED_MAX", 1)
    made = applied()
    made.note(stored(uid="v"))
    assert not made.untouched(stored())
    assert made.untouched(stored(uid="v"))
