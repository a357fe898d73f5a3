"""The Deployments set only what the operator's process knows, and ask it where it answers."""

import re
from typing import Any

import click
import pytest
import yaml

from replog_operator.kube.settings import OperatorSettings, options
from tests.unit.house.files import text_of

MANIFEST = "manifests/operator/deployment.yaml"
CHART = "charts/replicated-log-operator/templates/deployment.yaml"
PLACES = (MANIFEST, CHART, "manifests/namespaced/kustomization.yaml")
NAMED = re.compile(r"REPLOG_OPERATOR_\w+")


def known() -> set[str]:
    """The environment that the operator reads."""
    command = click.Command("replog-operator")
    options(command)
    return {str(each.envvar) for each in command.params if isinstance(each, click.Option)}


@pytest.mark.parametrize("path", PLACES)
def test_every_setting_that_is_set_is_one_that_there_is(path: str) -> None:
    named = set(NAMED.findall(text_of(path)))

    assert named <= known()
    assert named


def test_the_port_of_probes_is_the_one_that_is_served() -> None:
    port = OperatorSettings().port

    assert f"containerPort: {port}" in text_of(MANIFEST)
    assert f"containerPort: {port}" in text_of(CHART)


def test_its_pods_carry_the_labels_that_network_policies_let_in() -> None:
    template: Any = yaml.safe_load(text_of(MANIFEST))["spec"]["template"]
    (container,) = template["spec"]["containers"]
    environment = {each["name"]: each.get("value", "") for each in container["env"]}
    told = dict(each.split("=") for each in environment["REPLOG_OPERATOR_POD_LABELS"].split(","))

    assert told.items() <= template["metadata"]["labels"].items()


def test_two_processes_run_as_nobody_on_a_root_that_is_not_written() -> None:
    deployment: Any = yaml.safe_load(text_of(MANIFEST))["spec"]
    (container,) = deployment["template"]["spec"]["containers"]

    assert deployment["replicas"] == 2
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"].keys() == {"requests", "limits"}
    assert {"livenessProbe", "readinessProbe"} <= container.keys()
