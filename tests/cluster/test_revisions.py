"""What a StatefulSet's controller really does under `OnDelete`, as far as the operator needs it.

Pods stay where they are made (there is no kubelet in this test).
"""

from typing import Any

from replog_operator.kube.act import kept_template
from replog_operator.kube.children.pod import pod_template, template_of
from replog_operator.kube.children.stateful_set import stateful_set
from replog_operator.kube.pods import REVISION_LABEL
from replog_operator.kube.sets import SetFacts, set_facts
from tests.cluster.node import Cluster
from tests.support.processes import eventually
from tests.unit.kube.wanting import wanted

WAIT_S = 60


class Log:
    """The StatefulSet `orders` in a namespace, made of nothing but what the builder says."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._api = cluster.api
        self._sets = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
        self._history = f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._namespace = namespace
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self._api.create(account, {"metadata": {"name": "orders"}})

    def apply(self, **changes: Any) -> SetFacts:
        """Apply it with these changes; what it says once its controller has seen them."""
        return self._apply(stateful_set(wanted(namespace=self._namespace, **changes)))

    def apply_template(self, template: Any) -> SetFacts:
        """Apply it with a template as the history keeps it, defaults and all."""
        found = stateful_set(wanted(namespace=self._namespace))
        found["spec"]["template"] = template
        return self._apply(found)

    def _apply(self, found: Any) -> SetFacts:
        del found["metadata"]["ownerReferences"]
        self._api.apply(f"{self._sets}/orders", found, manager="replog-operator", force=True)
        return eventually("the controller has seen it", self._seen, WAIT_S)

    def _seen(self) -> SetFacts | None:
        facts = set_facts(wanted().uid, self._api.get(f"{self._sets}/orders"))
        return facts if facts.revision else None

    def pods(self) -> list[Any]:
        return self._api.items(self._pods)

    def history(self) -> list[Any]:
        return self._api.items(self._history)


def test_other_pods_get_the_new_revision_and_those_that_are_there_keep_theirs(
    cluster: Cluster, namespace: str
) -> None:
    log = Log(cluster, namespace)
    first = log.apply()
    eventually("its pods are made", lambda: len(log.pods()) == 3, WAIT_S)

    second = log.apply(image="replicated-log:2.0", replicas=5)

    eventually("two more are made", lambda: len(log.pods()) == 5, WAIT_S)
    revisions = {
        pod["metadata"]["name"]: pod["metadata"]["labels"][REVISION_LABEL] for pod in log.pods()
    }
    assert first.revision != second.revision and second.image == "replicated-log:2.0"
    assert {revisions[f"orders-{ordinal}"] for ordinal in (0, 1, 2)} == {first.revision}
    assert {revisions[f"orders-{ordinal}"] for ordinal in (3, 4)} == {second.revision}


def test_the_template_before_is_found_in_the_history_and_applying_it_is_the_old_revision(
    cluster: Cluster, namespace: str
) -> None:
    log = Log(cluster, namespace)
    first = log.apply()
    log.apply(image="nowhere/replicated-log:2.0")
    hash_of_first = template_of(pod_template(wanted(namespace=namespace)))

    template = kept_template(hash_of_first, log.history())

    assert template is not None
    assert template["spec"]["containers"][0]["image"] == first.image
    assert log.apply_template(template).revision == first.revision
    assert kept_template("unknown", log.history()) is None


def test_neither_scale_nor_a_larger_claim_makes_a_revision(
    cluster: Cluster, namespace: str
) -> None:
    log = Log(cluster, namespace)
    first = log.apply()

    assert log.apply(replicas=1, claim_size="20Gi").revision == first.revision
    assert len(log.history()) == 1
    assert first.template_size == "10Gi"
