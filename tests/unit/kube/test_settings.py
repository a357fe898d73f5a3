"""The operator's settings: where they come from, and their document (kube/settings.py)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from replog_operator.kube.settings import OperatorSettings, labels_of, options, settled
from tests.unit.house.files import text_of

GIVEN = OperatorSettings(node_image="replicated-log:1")


def given(*arguments: str, **environment: str) -> OperatorSettings:
    """The settings that a process with these would have."""
    made: list[OperatorSettings] = []

    @click.command()
    @options
    def command(**values: Any) -> None:
        made.append(OperatorSettings(**values))

    result = CliRunner(env=environment).invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return made[0]


def test_what_is_not_said_is_as_the_defaults_say() -> None:
    assert given() == OperatorSettings()


def test_an_option_wins_over_the_environment() -> None:
    environment = {"REPLOG_OPERATOR_PORT": "1", "REPLOG_OPERATOR_NAMESPACE": "a b"}
    assert given("--port", "2", **environment) == OperatorSettings(port=2, namespace=("a", "b"))


def test_a_setting_that_can_not_be_is_refused() -> None:
    with pytest.raises(click.BadParameter):
        given("--workers", "0")


def test_a_pod_knows_its_namespace_and_anybody_else_must_say_where_the_lease_is(
    tmp_path: Path,
) -> None:
    with pytest.raises(click.UsageError, match="--lease-namespace"):
        settled(GIVEN, tmp_path)
    (tmp_path / "namespace").write_text("replog-system\n")
    found = settled(GIVEN, tmp_path)
    assert found.lease_namespace == "replog-system" and found.pod_name
    assert settled(replace(GIVEN, lease_namespace="b"), tmp_path).lease_namespace == "b"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"node_image": ""}, "--node-image is needed"),
        ({"lease_name": "x" * 64}, "63 characters"),
        ({"pod_labels": "operator"}, "name=value"),
    ],
)
def test_settings_that_lack_sense_together_are_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(click.UsageError, match=says):
        settled(replace(GIVEN, lease_namespace="b", **changed))


def test_labels_are_read_one_by_one() -> None:
    assert labels_of("a=1,b=") == {"a": "1", "b": ""}


def test_the_document_has_a_row_for_each_setting() -> None:
    @click.command()
    @options
    def command() -> None:
        """Only its options count."""

    wanted = [
        f"| `--{option.name.replace('_', '-')}` | `{option.envvar}` | {shown(option.name)} "
        f"| {option.help} |"
        for option in command.params
        if isinstance(option, click.Option) and option.name is not None
    ]
    lines = text_of("docs/operator-settings.md").splitlines()
    assert [line for line in lines if line.startswith("| `--")] == wanted


def shown(name: str) -> str:
    """A default as the document has it."""
    default = getattr(OperatorSettings(), name)
    return f"`{default}`" if default not in ("", (), None) else ""
