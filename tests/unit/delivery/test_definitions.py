"""The definitions keep what people and the API server want of them, read without either."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from replog_operator.definitions import DEFINITIONS, source
from replog_operator.kube.children.names import API_VERSION, KIND, PLURAL
from replog_operator.kube.kinds import LOG, TASK
from replog_operator.kube.picture import OperationRow, WaitRow
from replog_operator.kube.status import status
from tests.support.definitions import FREE, definitions, fields, part, rules, schema, unknown
from tests.unit.kube.pictures import picture

KINDS = [each["spec"]["names"]["kind"] for each in definitions()]
COLUMNS = ["Ready", "Voters", "Leader", "Tolerates", "Version", "Status", "Age"]
DEFINITION_BYTES_MAX = 100 * 1024
DESCRIPTION_CHARS_MAX = 400
LARGE = {
    "podTemplate.affinity",
    "podTemplate.topologySpreadConstraints[].labelSelector",
    "podTemplate.env[].valueFrom",
}
"""Where Kubernetes' own type is so large that its schema would be most of ours."""


def test_they_are_of_the_group_and_kinds_that_the_operator_reads() -> None:
    found = [
        (f"{each['spec']['group']}/{version['name']}", each["spec"]["names"]["plural"])
        for each in definitions()
        for version in each["spec"]["versions"]
    ]

    assert found == [tuple(LOG), tuple(TASK)] == [(API_VERSION, PLURAL), tuple(TASK)]
    assert KINDS == [KIND, "ReplicatedLogTask"]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_fits_into_a_release_and_into_an_annotation(name: str) -> None:
    assert len(source(name).encode()) < DEFINITION_BYTES_MAX


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_explained_in_a_few_words(kind: str) -> None:
    texts = {path: inner.get("description", "") for path, inner in fields(schema(kind))}
    pods_own = re.compile(r"spec\.podTemplate\..*\[\]\.")
    bare = [path for path, text in texts.items() if not text and not pods_own.match(path)]

    assert set(bare) == {"apiVersion", "kind", "metadata"}
    assert [path for path, text in texts.items() if len(text) > DESCRIPTION_CHARS_MAX] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_of_a_spec_has_a_bound(kind: str) -> None:
    unbounded = [
        path
        for path, inner in fields(part(kind, "spec"))
        if inner.get("type") == "string" and "maxLength" not in inner and "enum" not in inner
    ]

    assert unbounded == []


def test_only_what_is_large_in_kubernetes_itself_is_taken_unseen() -> None:
    assert {path for path, inner in fields(part(KIND, "spec")) if FREE in inner} == LARGE


def test_rules_sit_where_they_are_asked_whichever_field_is_left_out() -> None:
    assert {rule.at for rule in rules()} <= {"", "spec"}
    assert len({rule.message for rule in rules()}) == len(rules())


def test_the_columns_are_those_that_people_want_to_see_first() -> None:
    (version,) = definitions()[0]["spec"]["versions"]

    assert [each["name"] for each in version["additionalPrinterColumns"]] == COLUMNS


def test_a_whole_status_has_no_field_that_the_definition_lacks() -> None:
    busy = picture(
        operation=OperationRow("Scale", "3 members become 5", "LearnerBehind"),
        waits=(WaitRow("LearnerBehind", "orders-4 lacks 12 entries"),),
    )
    written: dict[str, Any] = status(busy, {}, 1795608060.0)

    assert unknown(part(KIND, "status"), written) == []
    assert {path for path, _ in fields(part(KIND, "status")) if "." not in path} == set(written)
    assert unknown(part(KIND, "status"), written | {"fancy": 1}) == [".fancy"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_sentence_was_cut_in_two_by_a_comma(kind: str) -> None:
    (found,) = [each for each in definitions() if each["spec"]["names"]["kind"] == kind]

    assert [path for path, value in leaves(found) if value is None] == []


def leaves(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Everything that holds nothing more: in YAML `{a: b, c}` is a key `c` with no value."""
    if isinstance(found, dict | list):
        items = found.items() if isinstance(found, dict) else enumerate(found)
        for name, inner in items:
            yield from leaves(inner, f"{path}.{name}")
    else:
        yield path, found
