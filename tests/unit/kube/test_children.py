"""What holds for children whatever is wanted: names, owners, and what users can't take away."""

from typing import Any

import pytest

from replog_node.settings import load
from replog_operator.kube.children.all import children
from replog_operator.kube.children.claim import data_claim
from replog_operator.kube.children.config_map import config_hash, node_config
from replog_operator.kube.children.disruption_budget import disruption_budget
from replog_operator.kube.children.names import claim_ordinal, ordinal_of, selector
from replog_operator.kube.children.network_policy import network_policy
from replog_operator.kube.children.pod import GRACE_S, pod_template
from replog_operator.kube.children.stateful_set import stateful_set
from replog_operator.kube.children.wanted import OperatorPods, Template, Wanted
from tests.unit.kube.wanting import wanted


def container(found: Wanted) -> dict[str, Any]:
    (only,) = pod_template(found)["spec"]["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("name", ["log-0", "log-7", "log-12"])
def test_the_ordinal_is_read_from_a_pods_name(name: str) -> None:
    assert ordinal_of("log", name) == int(name.removeprefix("log-"))
    assert claim_ordinal("log", f"data-{name}") == int(name.removeprefix("log-"))


@pytest.mark.parametrize(
    "name", ["log", "log-", "log-01", "log-x", "logs-1", "log-peers", "log--1"]
)
def test_a_name_that_the_stateful_set_cannot_have_made_has_no_ordinal(name: str) -> None:
    assert ordinal_of("log", name) is None
    assert claim_ordinal("log", f"data-{name}") is None


def test_a_claim_is_told_from_that_of_a_log_whose_name_ends_alike() -> None:
    assert claim_ordinal("log", "data-my-log-0") is None
    assert claim_ordinal("log", "log-0") is None


def test_every_child_goes_with_the_resource_and_hinders_nobody() -> None:
    for child in children(wanted()):
        (owner,) = child["metadata"]["ownerReferences"]
        assert owner["uid"] == wanted().uid and owner["controller"]
        assert owner["blockOwnerDeletion"] is False


def test_a_claim_goes_with_the_resource_only_while_retention_delete_is_in_force() -> None:
    assert "ownerReferences" not in data_claim(wanted(), 0)["metadata"]
    assert data_claim(wanted(), 0, owned=True)["metadata"]["ownerReferences"]


def test_a_claim_is_as_large_as_it_is_wanted_now_and_the_template_as_it_was_first() -> None:
    grown = wanted(claim_size="20Gi")
    (template,) = stateful_set(grown)["spec"]["volumeClaimTemplates"]

    assert template["spec"]["resources"]["requests"]["storage"] == "10Gi"
    assert data_claim(grown, 3)["spec"]["resources"]["requests"]["storage"] == "20Gi"


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_drain_of_a_log_that_no_budget_can_keep_up_is_not_hindered(replicas: int) -> None:
    assert disruption_budget(wanted(replicas=replicas)) is None


@pytest.mark.parametrize(("tolerates", "allowed"), [(0, 0), (None, 0), (1, 1), (2, 1), (4, 1)])
def test_a_drain_takes_one_member_while_one_may_fail(tolerates: int | None, allowed: int) -> None:
    budget = disruption_budget(wanted(replicas=5, tolerates=tolerates))

    assert budget is not None and budget["spec"]["maxUnavailable"] == allowed


def test_only_members_and_the_operator_reach_the_peer_listener() -> None:
    pods = OperatorPods("replog-system", {"app.kubernetes.io/name": "replog-operator"})
    policy = network_policy(wanted(operator=pods))
    assert policy is not None
    anybody, trusted = policy["spec"]["ingress"]

    assert anybody == {"ports": [{"port": 7401, "protocol": "TCP"}]}
    assert [port["port"] for port in trusted["ports"]] == [7411]
    assert trusted["from"][0] == {"podSelector": {"matchLabels": selector("orders")}}
    assert trusted["from"][1]["podSelector"]["matchLabels"] == pods.labels


def test_users_cannot_take_the_labels_that_pods_are_found_by() -> None:
    theirs = Template(labels={"app.kubernetes.io/instance": "another", "team": "bank"})

    labels = pod_template(wanted(template=theirs))["metadata"]["labels"]

    assert labels["team"] == "bank"
    assert labels.items() >= selector("orders").items()


def test_users_cannot_change_what_a_node_is_told() -> None:
    theirs = Template(
        env=({"name": "REPLOG_DATA_DIR", "value": "/x"}, {"name": "TZ", "value": "UTC"})
    )

    names = [item["name"] for item in container(wanted(template=theirs))["env"]]

    assert names[0] == "TZ" and "REPLOG_DATA_DIR" not in names


def test_a_node_can_start_with_these_settings(tmp_path: Any) -> None:
    config = tmp_path / "node.yaml"
    config.write_text(node_config(wanted(settings={"retention_bytes": 1})))
    environment = {
        item["name"]: item["value"].replace("$(POD_NAME)", "orders-0")
        for item in container(wanted())["env"]
        if item["name"].startswith("REPLOG_")
    }

    settings = load(["--config", str(config)], environment)

    assert settings.retention_bytes == 1 and settings.insecure
    assert settings.advertise_peer_address == "orders-0.orders-peers.shop.svc:7411"
    assert settings.shutdown_grace_ms / 1000 < GRACE_S


def test_other_settings_are_another_template_and_another_lineage_is_not() -> None:
    assert pod_template(wanted(settings={"snapshot_bytes": 1})) != pod_template(wanted())
    assert config_hash(wanted(lineage="2.0a")) == config_hash(wanted())
    assert pod_template(wanted(lineage="2.0a")) == pod_template(wanted())


def test_neither_scale_nor_health_nor_the_operators_place_changes_the_template() -> None:
    """Or pods would be restarted for them."""
    moved = wanted(
        replicas=5, tolerates=0, claim_size="20Gi", operator=OperatorPods("other", {"a": "b"})
    )

    assert pod_template(moved) == pod_template(wanted())


def test_the_pod_is_as_restricted_as_the_strictest_standard_asks() -> None:
    spec = pod_template(wanted())["spec"]
    inside = container(wanted())["securityContext"]

    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}
    assert inside["readOnlyRootFilesystem"]
    assert spec["automountServiceAccountToken"] is False


def test_a_start_may_take_an_hour_and_nothing_runs_before_a_stop() -> None:
    node = container(wanted())
    startup = node["startupProbe"]

    assert startup["periodSeconds"] * startup["failureThreshold"] >= 3600
    assert "lifecycle" not in node
    assert node["livenessProbe"]["httpGet"]["path"] == "/livez"
