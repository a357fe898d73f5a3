"""What the design takes for granted of server-side apply.

The operator applies what it wants of its children as one field manager, and forces: what it doesn't
name stays whoever's it is.
"""

from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.api import Refused
from tests.cluster.node import Cluster

OPERATOR, SOMEBODY = "replog-operator", "somebody"


def settings(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": data,
    }


@pytest.fixture
def path(cluster: Cluster, namespace: str) -> str:
    """A ConfigMap in which the operator has applied one key."""
    where = paths.of(paths.CORE, namespace, "configmaps", "settings")
    cluster.api.apply(where, settings(level="info"), manager=OPERATOR)
    return where


def test_another_manager_is_refused_what_the_first_has_applied_and_told_who_has_it(
    cluster: Cluster, path: str
) -> None:
    with pytest.raises(Refused) as refused:
        cluster.api.apply(path, settings(level="debug"), manager=SOMEBODY)

    assert refused.value.status == 409
    assert f'conflict with "{OPERATOR}": .data.level' in refused.value.message
    assert cluster.api.get(path)["data"] == {"level": "info"}


def test_who_forces_takes_the_field_and_then_the_first_is_refused(
    cluster: Cluster, path: str
) -> None:
    cluster.api.apply(path, settings(level="debug"), manager=SOMEBODY, force=True)

    assert cluster.api.get(path)["data"] == {"level": "debug"}
    with pytest.raises(Refused, match=f'conflict with "{SOMEBODY}": .data.level'):
        cluster.api.apply(path, settings(level="info"), manager=OPERATOR)


def test_equal_values_are_no_conflict_and_both_have_the_field(cluster: Cluster, path: str) -> None:
    cluster.api.apply(path, settings(level="info"), manager=SOMEBODY)
    cluster.api.apply(path, settings(), manager=OPERATOR)

    assert cluster.api.get(path)["data"] == {"level": "info"}


def test_forcing_leaves_what_it_does_not_name(cluster: Cluster, path: str) -> None:
    cluster.api.apply(path, settings(theirs="kept"), manager=SOMEBODY)
    cluster.api.merge(path, {"metadata": {"labels": {"team": "storage"}}})

    cluster.api.apply(path, settings(level="debug"), manager=OPERATOR, force=True)

    found = cluster.api.get(path)
    assert found["data"] == {"level": "debug", "theirs": "kept"}
    assert found["metadata"]["labels"] == {"team": "storage"}


def test_what_a_manager_no_longer_names_is_gone(cluster: Cluster, path: str) -> None:
    cluster.api.apply(path, settings(other="x"), manager=OPERATOR)

    assert cluster.api.get(path)["data"] == {"other": "x"}


def test_applying_the_same_again_changes_no_version(cluster: Cluster, path: str) -> None:
    """So applying is free of writes, and of watch events, while nothing differs."""
    before = cluster.api.get(path)["metadata"]["resourceVersion"]

    again = cluster.api.apply(path, settings(level="info"), manager=OPERATOR, force=True)

    assert again["metadata"]["resourceVersion"] == before


def test_an_apply_with_another_uid_makes_nothing_anew(cluster: Cluster, path: str) -> None:
    """How a stale operator is kept from recreating what was deleted."""
    known = settings(level="info")
    known["metadata"]["uid"] = cluster.api.get(path)["metadata"]["uid"]
    cluster.api.delete(path)

    with pytest.raises(Refused) as refused:
        cluster.api.apply(path, known, manager=OPERATOR, force=True)

    assert refused.value.status == 409
