"""The bundle holds what helps, and no secret, wherever one was planted."""

import io
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from replog_operator.kube.client import path_of
from replog_operator.kube.kinds import CLAIM, EVENT, POD, REVISION, STATEFUL_SET, TASK
from replog_operator.members.nodes import Silent
from replog_operator.plugin.bundle import Bundle
from replog_operator.plugin.redact import LEFT_OUT, Redactor
from tests.unit.kube.world import World
from tests.unit.plugin.served import Served, served

SECRETS = {
    name: f"planted-{name}-5f3c\"9" for name in
    ("env", "annotation", "applied", "token", "sidecar", "revision", "event", "log", "task")
}  # fmt: skip
OPERATOR_PODS = path_of(POD, "replog-system")


def planted() -> World:
    """A log with a secret everywhere that one may be."""
    world = World(podTemplate={"env": [{"name": "KEY", "value": SECRETS["env"]}]})
    world.resource["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"x": SECRETS["applied"]}),
        "somebody.example/note": SECRETS["annotation"],
        "replog.dev/kept": "kept-as-it-is",
    }
    pod = world.objects[POD][0]
    pod["spec"]["containers"] += [
        {"name": "sidecar", "image": "s", "args": ["--key", SECRETS["sidecar"]],
         "env": [{"name": "KEY", "value": SECRETS["env"]},
                 {"name": "REF", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
    ]  # fmt: skip
    pod["status"]["authToken"] = SECRETS["token"]
    world.objects[CLAIM][0]["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    env = [{"name": "OLD", "value": SECRETS["revision"]}]
    metadata = {"name": "orders-1", "uid": "r", "resourceVersion": "1"}
    data = {"spec": {"template": {"spec": {"containers": [{"name": "node", "env": env}]}}}}
    world.objects[REVISION] = [{"metadata": metadata, "data": data, "revision": 1}]
    world.tasks = [
        {"metadata": {"name": "t", "annotations": {"a": SECRETS["task"]}},
         "spec": {"log": "orders", "action": "Snapshot"}},
        {"metadata": {"name": "u"}, "spec": {"log": "others", "action": "Snapshot"}},
    ]  # fmt: skip
    return world


def around(server: Served) -> None:
    """Events, the operator's log, the server's version."""

    def event(name: str, note: str) -> dict[str, Any]:
        return {"metadata": {"name": f"e-{name}"}, "regarding": {"name": name}, "note": note}

    server.texts = {
        path_of(EVENT, "shop"): {
            "apiVersion": EVENT.api_version,
            "kind": "EventList",
            "items": [
                event("orders-0", f"it began with {SECRETS['env']}; password={SECRETS['event']}"),
                event("others-0", "another log's"),
            ],
        },
        OPERATOR_PODS: {
            "apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "operator-1"}}],
        },
        path_of(POD, "replog-system", "operator-1", "log"):
            f"began\nheader Authorization: Bearer {SECRETS['log']}\nsaw {SECRETS['annotation']}\n",
        "/version": {"gitVersion": "v1.34.0"},
    }  # fmt: skip


def unpacked(data: bytes) -> dict[str, str]:
    """The files, by their names within the folder."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {}
        for entry in archive:
            content = archive.extractfile(entry)
            assert content is not None
            found[entry.name.partition("/")[2]] = content.read().decode()
        return found


@pytest.mark.asyncio
async def test_no_planted_secret_is_anywhere_in_the_bundle(tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar.gz"
    async with served(tmp_path, planted()) as server:
        around(server)
        found = await server.run("diagnostics", "orders", "--file", str(target))
    files = unpacked(target.read_bytes())

    assert found.code == 0, found
    assert {"log.json", "events.json", "children/pods.json", "operator/operator-1.log"} <= {*files}
    whole = "\n".join(files.values())
    assert "planted-" not in whole
    assert "a-persons-token" not in whole and "managedFields" not in whole
    assert "kept-as-it-is" in whole and "secretKeyRef" in whole


@pytest.mark.asyncio
async def test_it_holds_the_log_its_children_members_events_and_versions(tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar.gz"
    world = planted()
    world.answers["uid-of-orders-2"] = Silent("it fills a hole")
    async with served(tmp_path, world) as server:
        around(server)
        await server.run("diagnostics", "orders", "--file", str(target))
    files = unpacked(target.read_bytes())
    read = {name: json.loads(text) for name, text in files.items() if name.endswith(".json")}

    assert read["log.json"]["spec"]["replicas"] == 3
    assert [task["metadata"]["name"] for task in read["tasks.json"]] == ["t"]
    assert len(read["children/persistentvolumeclaims.json"]) == 3
    assert [event["metadata"]["name"] for event in read["events.json"]] == ["e-orders-0"]
    assert read["members/orders-0/cluster.json"]["role"] == "leader"
    assert read["members/orders-1/why.json"]["waits"] == []
    assert "replog_up" in files["members/orders-0/metrics.txt"]
    assert read["not-read.json"]["orders-2/v1/cluster"] == "it fills a hole"
    assert read["versions.json"]["server"]["gitVersion"] == "v1.34.0"
    assert set(read["versions.json"]["members"]) == {"orders-0", "orders-1"}
    assert files["operator/operator-1.log"].startswith("began\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.asyncio
async def test_what_may_not_be_read_is_named_and_stops_nothing(tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar.gz"
    async with served(tmp_path) as server:
        server.forbidden = {STATEFUL_SET.plural, "events", "/proxy/", "replog-system", "/version",
                            TASK.plural}  # fmt: skip
        found = await server.run("diagnostics", "orders", "--file", str(target), "-o", "json")
    missing = json.loads(unpacked(target.read_bytes())["not-read.json"])

    assert found.code == 0
    assert json.loads(found.out) == {"file": str(target), "not_read": missing}
    assert {"statefulsets", "events", "version", "orders-0/metrics"} <= set(missing)
    assert "forbidden" in missing["events"]


@pytest.mark.asyncio
async def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar.gz"
    target.write_text("mine")
    async with served(tmp_path) as server:
        found = await server.run("diagnostics", "orders", "--file", str(target))

    assert (found.code, target.read_text()) == (2, "mine")
    assert "--file" in found.err


@pytest.mark.asyncio
async def test_its_name_tells_what_it_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with served(tmp_path) as server:
        found = await server.run("diagnostics", "orders")

    (name,) = (each for each in os.listdir(tmp_path) if each.endswith(".tar.gz"))
    assert found.out == f"{name}\n" and name.startswith("shop-orders-2")


def test_a_value_that_a_later_object_leaves_out_is_gone_from_earlier_files() -> None:
    bundle = Bundle()
    bundle.text("a.log", b"began with abc-def-ghi")
    bundle.object("b.json", {"env": [{"name": "K", "value": "abc-def-ghi"}]})

    assert bundle.files()["a.log"] == f"began with {LEFT_OUT}"


def test_short_values_are_left_out_where_they_stand_and_nowhere_else() -> None:
    redactor = Redactor()
    found = redactor.object({"env": [{"name": "LEVEL", "value": "info"}], "level": "info"})

    assert found == {"env": [{"name": "LEVEL", "value": LEFT_OUT}], "level": "info"}
    assert redactor.cleaned("info") == "info"


def test_our_own_container_shows_how_it_is_started() -> None:
    found = Redactor().object(
        [{"name": "node", "args": ["--config", "x"]}, {"name": "other", "args": ["x"]}]
    )

    assert [each["args"] for each in found] == [["--config", "x"], LEFT_OUT]


def test_fields_that_only_sound_like_secrets_stay() -> None:
    fields = {"automountServiceAccountToken": False, "imagePullSecrets": [{"name": "pull"}],
              "secretName": "tls"}  # fmt: skip

    assert Redactor().object(fields) == fields
