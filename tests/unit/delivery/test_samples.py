"""The samples are resources for both platforms: the cluster's, and processes on one machine."""

from typing import Any

import pytest
import yaml

from replog_operator.kube.wishes import wishes
from replog_operator.local.spec import FOLLOWED, NOT_LOCAL, parse_spec
from tests.support.definitions import fields, part, unknown
from tests.unit.house.files import project_files, text_of

SAMPLES = [path for path in project_files(".yaml") if path.startswith("manifests/samples/")]


def spec_of(path: str) -> Any:
    return yaml.safe_load(text_of(path))["spec"]


def test_there_is_one_for_each_usual_size() -> None:
    assert sorted(spec_of(path)["replicas"] for path in SAMPLES) == [1, 3, 5]


@pytest.mark.parametrize("path", SAMPLES)
def test_a_sample_is_read_by_both_platforms(path: str) -> None:
    sample: Any = yaml.safe_load(text_of(path))
    sample["metadata"] |= {"namespace": "shop", "uid": "u-1", "generation": 1}

    local = parse_spec(text_of(path))

    assert unknown(part("ReplicatedLog", "spec"), sample["spec"]) == []
    assert wishes(sample).log.replicas == local.replicas == sample["spec"]["replicas"]


def test_without_kubernetes_every_field_is_followed_or_named_as_ignored() -> None:
    known = {path for path, _ in fields(part("ReplicatedLog", "spec")) if "." not in path}

    assert known == {*FOLLOWED, *NOT_LOCAL}
