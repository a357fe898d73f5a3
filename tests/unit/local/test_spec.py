"""The ReplicatedLog file: what it may say, and all its faults at once."""

import pytest

from replog_operator.definitions import source
from replog_operator.local.spec import LocalSpec, SpecFaults, parse_spec
from replog_operator.local.wishes import SIZES

GOOD = """
apiVersion: replog.dev/v1alpha1
kind: ReplicatedLog
metadata: {name: orders}
spec: {replicas: 5, storage: {size: 10Gi}}
"""


def _faults(text: str) -> tuple[str, ...]:
    with pytest.raises(SpecFaults) as raised:
        parse_spec(text)
    return raised.value.faults


def test_a_good_file_is_followed_and_what_means_nothing_here_is_named() -> None:
    assert parse_spec(GOOD) == LocalSpec("orders", 5, ("storage",))


def test_what_a_process_is_made_of_is_followed() -> None:
    found = parse_spec(
        GOOD.replace(
            "spec: {replicas: 5, storage: {size: 10Gi}}",
            "spec: {log: {segmentBytes: 4Mi, retentionAge: 7d}, update: {timeout: 20s}}",
        ).replace("{name: orders}", "{name: orders, annotations: {replog.dev/node-command: a b}}")
    )
    assert found.settings == {"segment_bytes": 4 * 1024 * 1024, "retention_age_ms": 7 * 86_400_000}
    assert (found.update_timeout_s, found.leader_last, found.node_command) == (20.0, True, "a b")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{log: {segmentBytes: 1Mi}}", "spec.log.segmentBytes: '1Mi', expected a quantity from"),
        ("{log: {segmentBytes: many}}", "spec.log.segmentBytes"),
        ("{log: {snapshotBytes: [1]}}", "spec.log.snapshotBytes"),
        ("{log: {retentionAge: 7 days}}", "spec.log.retentionAge"),
        ("{log: {sise: 1}}", "spec.log.sise: unknown"),
        ("{log: 3}", "spec.log: a mapping"),
        ("{update: {timeout: 1s}}", "spec.update.timeout: '1s', expected from 10s to 24h"),
        ("{update: {strategy: Never}}", "spec.update.strategy"),
        ("{suspend: 1}", "spec.suspend: 1, expected true or false"),
        (f"{{log: {{retentionAge: 0x{'f' * 6000}}}}}", "spec.log.retentionAge: a number of very"),
        (f"{{log: {{retentionBytes: 0x{'f' * 6000}}}}}", "spec.log.retentionBytes"),
        (f"{{update: {{timeout: 0x{'f' * 6000}}}}}", "spec.update.timeout"),
        ("{log: {retentionAge: [[7d]]}}", "spec.log.retentionAge"),
        ('{"a\\nb": 1}', "spec.'a\\nb': unknown"),
    ],
)
def test_a_part_that_can_not_be_followed_is_told(spec: str, told: str) -> None:
    (fault,) = _faults(GOOD.replace("spec: {replicas: 5, storage: {size: 10Gi}}", f"spec: {spec}"))
    assert told in fault


@pytest.mark.parametrize("command", ['""', r'"a\0b"', r'"a\ud800b"', '"\'"', "3", '"\\n"'])
def test_a_program_that_can_not_be_named_is_a_fault(command: str) -> None:
    note = f"{{name: orders, annotations: {{replog.dev/node-command: {command}}}}}"
    (fault,) = _faults(GOOD.replace("{name: orders}", note))
    assert "expected a command" in fault or "not YAML" in fault


def test_the_limits_are_those_of_the_resource_on_kubernetes() -> None:
    definition = source("replicatedlogs.yaml")
    for field, (_, _, _, words) in SIZES.items():
        assert f"spec.log.{field}: {words}" in definition
    assert "spec.update.timeout: from 10s to 24h" in definition


def test_three_members_when_nothing_is_said() -> None:
    assert parse_spec(GOOD.replace("replicas: 5, ", "")).replicas == 3


def test_all_faults_are_told_at_once() -> None:
    faults = _faults("apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {replicas: 4, sise: 1}\nx: 1")
    told = [fault.split(":")[0] for fault in faults]
    assert told == ["x", "apiVersion", "kind", "metadata.name", "spec.sise", "spec.replicas"]


@pytest.mark.parametrize(
    ("replicas", "told"),
    [("0", "stop `replog up`"), ("-1", "from 1 to 9"), ("11", "from 1 to 9"), ("2", "odd"),
     ("three", "expected a number"), ("true", "expected a number")],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(replicas: str, told: str) -> None:
    (fault,) = _faults(GOOD.replace("replicas: 5", f"replicas: {replicas}"))
    assert fault.startswith("spec.replicas: ") and told in fault


def test_an_even_number_may_be_asked_for_by_name() -> None:
    even = GOOD.replace("replicas: 5", "replicas: 2, allowEvenReplicas: true")
    assert parse_spec(even).replicas == 2


@pytest.mark.parametrize("text", ["", "[]", "just text", "spec: [", "a: &a [*a]\nb: !!python/x 1",
                                  "a: 2026-99-99", "[" * 3000])  # fmt: skip
def test_what_is_no_resource_is_told_in_one_sentence(text: str) -> None:
    faults = _faults(text)
    assert faults and all("\n" not in fault for fault in faults)


def test_what_is_told_back_of_a_value_is_short_whatever_it_stands_for() -> None:
    many = "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 12))
    places = (
        "apiVersion: *a11\nkind: *a11\nmetadata: {name: *a11}\n"
        "spec: {replicas: *a11, allowEvenReplicas: *a11}\n"
    )
    text = f"a0: &a0 lol\n{many}{places}{'x' * 1000}: 1\n"
    faults = _faults(text)
    assert len(faults) == 12 + 1 + 5
    assert all(len(fault) < 400 for fault in faults)
    digits = GOOD.replace("replicas: 5", f"replicas: 0x{'f' * 9000}")
    assert len(_faults(digits)[0]) < 200


def test_metadata_and_spec_must_be_mappings() -> None:
    faults = _faults("apiVersion: replog.dev/v1alpha1\nkind: ReplicatedLog\nspec: 3")
    assert [fault.split(":")[0] for fault in faults] == ["metadata", "spec"]
