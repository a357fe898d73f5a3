"""What is read from a claim."""

from typing import Any

import pytest

from replog_operator.kube.children.claim import claim_owner, data_claim
from replog_operator.kube.claims import ClaimFacts, claim_facts
from tests.unit.kube.wanting import wanted

UID = wanted().uid
OTHER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "backup", "uid": "uid-of-another"}


def claim(*, notes: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    """The claim of ordinal 1 as a server keeps it."""
    found = data_claim(wanted(), 1)
    found["metadata"] |= {
        "uid": "uid-of-claim",
        "resourceVersion": "12",
        "annotations": notes or {},
    }
    return {**found, "status": status}


def facts(found: dict[str, Any]) -> ClaimFacts:
    return claim_facts("orders", UID, found)


def test_a_new_claim_bears_nobodys_data() -> None:
    found = facts(claim())

    assert (found.ordinal, found.cluster_id, found.member_id) == (1, "", "")
    assert not found.retired and not found.owned
    assert (found.size, found.capacity) == ("10Gi", "")


def test_what_it_is_stamped_with_is_read() -> None:
    notes = {
        "replog.dev/cluster-id": "c",
        "replog.dev/member-id": "m",
        "replog.dev/retired": "true",
    }

    found = facts(claim(notes=notes))

    assert (found.cluster_id, found.member_id, found.retired) == ("c", "m", True)


def test_room_that_is_there_is_told_from_room_that_is_asked_for() -> None:
    found = facts(claim(phase="Bound", capacity={"storage": "5Gi"}))

    assert (found.size, found.capacity) == ("10Gi", "5Gi")


@pytest.mark.parametrize(
    ("owners", "owned"), [([], False), ([OTHER], False), ([OTHER, claim_owner(wanted())], True)]
)
def test_it_goes_with_the_resource_only_if_that_owns_it(
    owners: list[dict[str, Any]], owned: bool
) -> None:
    found = claim()
    found["metadata"]["ownerReferences"] = owners

    assert facts(found).owned is owned


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [{"type": "ControllerResizeError", "message": "quota exceeded"}]},
        {"allocatedResourceStatuses": {"storage": "ControllerResizeFailed"}},
    ],
)
def test_a_refused_growth_is_told(status: dict[str, Any]) -> None:
    assert facts(claim(**status)).resize
    assert not facts(claim(allocatedResourceStatuses={"storage": "NodeResizePending"})).resize


def test_a_claim_of_another_name_has_no_ordinal() -> None:
    found = claim()
    found["metadata"]["name"] = "data-orders-backup"

    assert facts(found).ordinal is None
