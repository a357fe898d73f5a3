"""Each deed of the operator at a real API server: done once, and nothing if the world has moved."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from replog_operator.kube.apply import Applied
from replog_operator.kube.children.claim import claim_owner, data_claim
from replog_operator.kube.children.disruption_budget import disruption_budget
from replog_operator.kube.children.names import CLUSTER_ID, MEMBER_ID, PEER_PORT, RETIRED
from replog_operator.kube.claims import ClaimFacts, claim_facts
from replog_operator.kube.hands import Hands
from replog_operator.kube.kinds import BUDGET, CLAIM
from replog_operator.kube.observe import seen_of
from replog_operator.members.nodes import Nodes
from replog_operator.members.outcomes import Became, Outcome
from replog_operator.model.steps import Object as Seen
from tests.cluster import paths
from tests.cluster.logs import log
from tests.cluster.node import Cluster
from tests.cluster.operating import parts
from tests.unit.kube.wanting import wanted

NAME = "data-orders-0"


@pytest.fixture(autouse=True)
def _logs_are_known(definitions: None) -> None:
    """A log can be made."""


def logs(namespace: str) -> str:
    """Path of the logs."""
    return paths.of("/apis/replog.dev/v1alpha1", namespace, "replicatedlogs")


class Claims:
    """The claim of ordinal 0, and the hands that deal with it."""

    def __init__(self, cluster: Cluster, namespace: str, hands: Hands, uid: str) -> None:
        self._cluster = cluster
        self._path = paths.claims(namespace, NAME)
        self.wanted = wanted(
            namespace=namespace, uid=uid, storage_class="directory", claim_size="1Gi"
        )
        self.hands = hands

    async def make(self, **changes: Any) -> Outcome:
        """Make it."""
        return await self.hands.make_claim(data_claim(self.wanted._replace(**changes), 0))

    def stored(self) -> Any:
        """As the server has it; None if it is gone."""
        return self._cluster.api.found(self._path)

    def facts(self) -> ClaimFacts:
        """The same in short."""
        return claim_facts("orders", self.wanted.uid, self.stored())

    def seen(self) -> Seen:
        """The reference by which a deed names it."""
        return seen_of(self.stored())


@asynccontextmanager
async def claims(cluster: Cluster, namespace: str) -> AsyncIterator[Claims]:
    """Hands that hold the lease, for a log that is there: what nobody owns is collected."""
    resource = cluster.api.create(logs(namespace), log("orders"))
    async with parts(cluster) as made, Nodes(PEER_PORT) as nodes:
        hands = Hands(namespace, made.writes, nodes, Applied())
        yield Claims(cluster, namespace, hands, resource["metadata"]["uid"])


@pytest.mark.asyncio
async def test_a_claim_is_made_once(cluster: Cluster, namespace: str) -> None:
    async with claims(cluster, namespace) as found:
        assert (await found.make()).became is Became.DONE
        again = await found.make()

    assert (again.became, again.code) == (Became.SUPERSEDED, "AlreadyExists")


@pytest.mark.asyncio
async def test_a_claim_is_stamped_and_retired(cluster: Cluster, namespace: str) -> None:
    async with claims(cluster, namespace) as found:
        await found.make()
        await found.hands.stamp_claim(found.seen(), "cluster", "member")
        await found.hands.retire_claim(found.seen())
        notes = found.stored()["metadata"]["annotations"]

    assert (notes[CLUSTER_ID], notes[MEMBER_ID], notes[RETIRED]) == ("cluster", "member", "true")


@pytest.mark.asyncio
async def test_a_deed_on_what_has_changed_since_changes_nothing(
    cluster: Cluster, namespace: str
) -> None:
    async with claims(cluster, namespace) as found:
        await found.make()
        before = found.seen()
        await found.hands.stamp_claim(before, "cluster", "member")
        late = await found.hands.retire_claim(before)

        assert (late.became, late.code) == (Became.SUPERSEDED, "Conflict")
        assert not found.facts().retired


@pytest.mark.asyncio
async def test_a_claim_that_took_the_name_of_a_deleted_one_is_not_deleted_for_it(
    cluster: Cluster, namespace: str
) -> None:
    async with claims(cluster, namespace) as found:
        await found.make()
        stranger = found.seen()._replace(uid="00000000-0000-4000-8000-000000000000")
        refused = await found.hands.delete_claim(stranger)
        assert (refused.became, found.facts().terminating) == (Became.SUPERSEDED, False)

        assert (await found.hands.delete_claim(found.seen())).became is Became.DONE
        left = found.stored()
        assert left is None or "deletionTimestamp" in left["metadata"]


@pytest.mark.asyncio
async def test_growth_that_the_storage_can_not_do_is_refused_with_the_servers_words(
    cluster: Cluster, namespace: str
) -> None:
    """The class is unknown, so nobody can say that it expands."""
    async with claims(cluster, namespace) as found:
        await found.make(storage_class="rigid")
        outcome = await found.hands.expand_claim(found.seen(), "2Gi")

    assert outcome.became is Became.REFUSED and outcome.message


@pytest.mark.asyncio
async def test_a_claim_takes_an_owner_and_gives_it_back(cluster: Cluster, namespace: str) -> None:
    async with claims(cluster, namespace) as found:
        await found.make()
        await found.hands.own_claim(found.seen(), [claim_owner(found.wanted)])
        assert found.facts().owned
        await found.hands.own_claim(found.seen(), [])
        assert not found.facts().owned


@pytest.mark.asyncio
async def test_claims_are_never_removed_as_children_are(cluster: Cluster, namespace: str) -> None:
    async with claims(cluster, namespace) as found:
        await found.make()
        with pytest.raises(ValueError, match="delete_claim"):
            await found.hands.remove(CLAIM, found.seen())


@pytest.mark.asyncio
async def test_a_child_is_applied_and_removed(cluster: Cluster, namespace: str) -> None:
    path = paths.of(paths.POLICY, namespace, "poddisruptionbudgets", "orders")
    async with claims(cluster, namespace) as found:
        budget = disruption_budget(found.wanted)
        assert budget is not None
        assert (await found.hands.apply(budget)).became is Became.DONE
        stored = cluster.api.get(path)
        assert (await found.hands.remove(BUDGET, seen_of(stored))).became is Became.DONE

    assert stored["spec"]["maxUnavailable"] == 1
    assert cluster.api.found(path) is None
