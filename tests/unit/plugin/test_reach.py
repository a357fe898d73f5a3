"""Who is asked, in which namespace, and how a failure reads (docs/cli.md, Exit codes)."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from tests.unit.plugin.served import Served, kubeconfig, served


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "namespace"),
    [
        ((), "shop"),
        (("-n", "other"), "other"),
        (("--context", "plain"), "default"),
        (("--context", "plain", "--namespace", "third"), "third"),
    ],
)
async def test_the_namespace_is_the_contexts_unless_one_is_named(
    tmp_path: Path, options: tuple[str, ...], namespace: str
) -> None:
    async with served(tmp_path) as server:
        await server.run("status", "orders", *options)

    assert f"/namespaces/{namespace}/" in server.asked[0]


@pytest.mark.asyncio
async def test_what_the_server_refuses_is_told_with_the_way_out(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        absent = await server.run("status", "nothing")
        server.forbidden = {"replicatedlogs"}
        forbidden = await server.run("status", "orders")
        as_json = await server.run("status", "orders", "-o", "json")

    assert absent.code == 1
    assert "there is no ReplicatedLog nothing in the namespace shop" in absent.err
    assert forbidden.code == 1 and forbidden.err.startswith("kubectl rlog: you may not do that")
    assert "you may not" in json.loads(as_json.err)["error"]["detail"]


@pytest.mark.asyncio
async def test_a_server_that_is_not_there_may_be_later(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        pass
    found = await server.run("status", "orders")

    assert found.code == 4 and "no answer" in found.err


@pytest.mark.asyncio
async def test_no_kubeconfig_is_a_wrong_command_line(tmp_path: Path) -> None:
    def ran(path: Path) -> Served:
        server = Served.__new__(Served)
        server.kubeconfig = path
        return server

    broken = tmp_path / "broken"
    broken.write_text(yaml.safe_dump(kubeconfig(1) | {"current-context": "nowhere"}))
    for path in (tmp_path / "none", broken):
        found = await asyncio.wait_for(ran(path).run("status", "orders"), 20)
        assert found.code == 2 and "--kubeconfig" in found.err, found
