"""What the operator's writes do to objects that others write, too (kube/writing.py, apply.py)."""

from typing import Any

import pytest
from kubernetes.aio.client.configuration import Configuration

from replog_operator.kube import reading
from replog_operator.kube.apply import Applied, stamped
from replog_operator.kube.children.names import labels
from replog_operator.kube.client import Client
from replog_operator.kube.fence import Deposed
from replog_operator.kube.kinds import CONFIG_MAP, SERVICE
from replog_operator.kube.ports import Refused, Unanswered
from tests.cluster.node import Cluster
from tests.cluster.operating import parts


def config_map(namespace: str, **data: str) -> dict[str, Any]:
    """A child as small as can be."""
    metadata = {"namespace": namespace, "name": "log", "labels": labels("log")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def path(namespace: str) -> str:
    """Its path."""
    return f"/api/v1/namespaces/{namespace}/configmaps/log"


@pytest.mark.asyncio
async def test_an_apply_owns_its_fields_alone_and_takes_back_what_it_wants_no_more(
    cluster: Cluster, namespace: str
) -> None:
    async with parts(cluster) as made:
        await made.writes.apply(CONFIG_MAP, config_map(namespace, a="1", b="2"))
        cluster.api.merge(path(namespace), {"data": {"theirs": "3"}})
        stored = await made.writes.apply(CONFIG_MAP, config_map(namespace, a="1"))
    assert stored["data"] == {"a": "1", "theirs": "3"}
    managers = {m["manager"]: m["operation"] for m in stored["metadata"]["managedFields"]}
    assert managers["replog-operator"] == "Apply"


@pytest.mark.asyncio
async def test_finalizers_labels_and_annotations_of_others_stay(
    cluster: Cluster, namespace: str
) -> None:
    theirs = {
        "finalizers": ["example.com/theirs", "kopf.zalando.org/KopfFinalizerMarker"],
        "labels": {"theirs": "1"},
        "annotations": {"example.com/theirs": "1"},
    }
    async with parts(cluster) as made:
        await made.writes.apply(CONFIG_MAP, config_map(namespace, a="1"))
        cluster.api.merge(path(namespace), {"metadata": theirs})
        stored = await made.writes.apply(CONFIG_MAP, config_map(namespace, a="2"))
    assert stored["metadata"]["finalizers"] == theirs["finalizers"]
    assert stored["metadata"]["labels"] == labels("log") | {"theirs": "1"}
    assert stored["metadata"]["annotations"] == theirs["annotations"]
    cluster.api.merge(path(namespace), {"metadata": {"finalizers": None}})


@pytest.mark.asyncio
async def test_a_field_that_somebody_forced_to_another_value_is_set_back(
    cluster: Cluster, namespace: str
) -> None:
    wanted = config_map(namespace, a="1")
    async with parts(cluster) as made:
        applied = Applied()
        applied.note(await made.writes.apply(CONFIG_MAP, stamped(wanted)))
        before = await made.reads.get(CONFIG_MAP, namespace, "log")
        assert not applied.must_apply(wanted, before)
        foreign = {**config_map(namespace, a="9"), "metadata": {"name": "log"}}
        cluster.api.apply(path(namespace), foreign, manager="somebody", force=True)
        assert applied.must_apply(wanted, await made.reads.get(CONFIG_MAP, namespace, "log"))
        stored = await made.writes.apply(CONFIG_MAP, stamped(wanted))
    assert stored["data"] == {"a": "1"}


@pytest.mark.asyncio
async def test_applying_the_same_again_changes_nothing_not_even_the_version(
    cluster: Cluster, namespace: str
) -> None:
    async with parts(cluster) as made:
        first = await made.writes.apply(CONFIG_MAP, stamped(config_map(namespace, a="1")))
        second = await made.writes.apply(CONFIG_MAP, stamped(config_map(namespace, a="1")))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


@pytest.mark.asyncio
async def test_a_write_on_an_object_that_is_another_by_now_is_refused(
    cluster: Cluster, namespace: str
) -> None:
    async with parts(cluster) as made:
        first = await made.writes.create(CONFIG_MAP, config_map(namespace, a="1"))
        cluster.api.merge(path(namespace), {"data": {"a": "2"}})
        stale = {"resourceVersion": first["metadata"]["resourceVersion"]}
        with pytest.raises(Refused) as by_version:
            await made.writes.patch(CONFIG_MAP, namespace, "log", {"metadata": stale})
        with pytest.raises(Refused) as by_uid:
            await made.writes.delete(CONFIG_MAP, namespace, "log", uid="another")
        with pytest.raises(Refused) as again:
            await made.writes.create(CONFIG_MAP, config_map(namespace, a="1"))
        assert [found.value.status for found in (by_version, by_uid, again)] == [409, 409, 409]
        assert again.value.reason == "AlreadyExists"
        await made.writes.delete(CONFIG_MAP, namespace, "log", uid=first["metadata"]["uid"])
        await made.writes.delete(CONFIG_MAP, namespace, "log", uid=first["metadata"]["uid"])
        assert await made.reads.get(CONFIG_MAP, namespace, "log") is None


@pytest.mark.asyncio
async def test_nothing_is_sent_without_the_lease(cluster: Cluster, namespace: str) -> None:
    async with parts(cluster) as made:
        made.fence.close()
        found = config_map(namespace, a="1")
        for write in (
            made.writes.create(CONFIG_MAP, found),
            made.writes.apply(CONFIG_MAP, found),
            made.writes.apply_status(CONFIG_MAP, found),
            made.writes.patch(CONFIG_MAP, namespace, "log", {}),
            made.writes.delete(CONFIG_MAP, namespace, "log", uid="u"),
            made.writes.evict(namespace, "log-0", uid="u"),
        ):
            with pytest.raises(Deposed):
                await write
    assert cluster.api.found(path(namespace)) is None
    assert not any(name.startswith("after") for name in made.reached)


@pytest.mark.asyncio
async def test_a_list_comes_whole_with_the_kind_on_each_object(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        metadata = {"name": f"log-{number}", "labels": labels("log")}
        cluster.api.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": metadata})
    monkeypatch.setattr(reading, "PAGE", 2)
    async with parts(cluster) as made:
        found = await made.reads.list(CONFIG_MAP, namespace, "app.kubernetes.io/instance=log")
        assert await made.reads.list(SERVICE, namespace, "app.kubernetes.io/instance=log") == []
    assert [item["metadata"]["name"] for item in found] == ["log-0", "log-1", "log-2"]
    assert {(item["kind"], item["apiVersion"]) for item in found} == {("ConfigMap", "v1")}


@pytest.mark.asyncio
async def test_a_server_that_is_away_is_unanswered_and_what_it_refuses_says_why(
    cluster: Cluster, namespace: str
) -> None:
    async with parts(cluster) as made:
        with pytest.raises(Refused) as missing:
            await made.client.call("GET", f"/api/v1/namespaces/{namespace}/pods/none")
        with pytest.raises(Unanswered, match="no answer within"):
            await made.client.call("GET", "/api/v1/pods", timeout_s=0.0001)
    nobody = Configuration(host="https://127.0.0.1:1")
    async with Client(nobody, "replog-operator/test") as client:
        with pytest.raises(Unanswered, match="Cannot connect"):
            await client.call("GET", "/api/v1/pods")
    assert (missing.value.status, missing.value.reason) == (404, "NotFound")
