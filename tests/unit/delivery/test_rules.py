"""What the operator may do is what it does: its watches, its reads and its deeds."""

from typing import Any

import pytest
import yaml

from replog_operator.definitions import RULES, source
from replog_operator.kube.children.all import children
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.gather import BELONGING
from replog_operator.kube.kinds import CLAIM, EVENT, LOG, POD, STATEFUL_SET, TASK, Kind, kind_of
from replog_operator.kube.reading import LEASE
from replog_operator.kube.watch import CHILDREN, OURS
from tests.scenario.kube.test_children import FILES, wanted_of

GRANTED: Any = yaml.safe_load(source(RULES))
READ = ("get", "list", "watch")


def may(part: str, kind: Kind, sub: str = "") -> set[str]:
    """The verbs that a part of the rules grants on a kind, or on its subresource."""
    group = kind.api_version.rpartition("/")[0]
    name = f"{kind.plural}/{sub}" if sub else kind.plural
    return {
        verb
        for rule in GRANTED[part]
        if group in rule["apiGroups"] and name in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("kind", sorted({*BELONGING, *CHILDREN, *OURS}))
def test_it_may_read_and_watch_whatever_a_pass_or_a_watch_looks_at(kind: Kind) -> None:
    assert may("objects", kind) >= set(READ)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_may_make_change_and_remove_every_child(path: Any) -> None:
    made: list[Object] = children(wanted_of(next(yaml.safe_load_all(path.read_text()))))

    for kind in {kind_of(child) for child in made}:
        assert may("objects", kind) >= {"create", "patch", "delete"}, kind


def test_it_may_do_each_deed_and_nothing_to_the_resource_itself() -> None:
    assert may("objects", POD) == {*READ, "delete"}
    assert may("objects", POD, "eviction") == {"create"}
    assert may("objects", CLAIM) == {*READ, "create", "patch", "delete"}
    assert may("objects", STATEFUL_SET) == {*READ, "create", "patch", "delete"}
    assert may("objects", EVENT) >= {"create"}
    assert [may("objects", kind, "status") >= {"patch"} for kind in OURS] == [True, True]
    assert [may("objects", kind) for kind in (LOG, TASK)] == [set(READ), {*READ, "delete"}]


def test_the_lease_is_in_its_own_namespace() -> None:
    assert may("own", LEASE) >= {"get", "create", "update"}
    assert may("objects", LEASE) == set()


def test_nothing_is_granted_by_a_star_and_no_secret_is_read() -> None:
    rules = [rule for part in GRANTED.values() for rule in part]
    words = {word for rule in rules for words in rule.values() for word in words}

    assert words & {"*", "secrets", "escalate", "bind", "impersonate", "pods/exec"} == set()


def test_of_the_whole_cluster_it_reads_names_alone() -> None:
    cluster = {resource for rule in GRANTED["cluster"] for resource in rule["resources"]}

    assert cluster == {"namespaces", "customresourcedefinitions"}
    assert {verb for rule in GRANTED["cluster"] for verb in rule["verbs"]} <= set(READ)
