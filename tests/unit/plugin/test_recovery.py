"""`kubectl rlog survey | recover | unfence` make one task each, of the survey that is meant."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.kube.world import World
from tests.unit.plugin.served import Served, served

STOPPED = ("--survivor", "m-2", "--stopped", "m-0,m-1")


def made(server: Served) -> dict[str, Any]:
    """The spec of the only task that was made."""
    (task,) = server.tasks.values()
    return dict(task["spec"])


def survey(name: str, at: str, state: str = "Done", log: str = "orders") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": at},
        "spec": {"log": log, "action": "SurveyQuorum"},
        "status": {"state": state, "finishedAt": at},
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("word", ["survey", "fence"])
async def test_a_survey_is_a_task_under_both_its_names(tmp_path: Path, word: str) -> None:
    async with served(tmp_path) as server:
        found = await server.run(word, "orders")

    assert (found.code, made(server)) == (0, {"log": "orders", "action": "SurveyQuorum"})


@pytest.mark.asyncio
async def test_a_recovery_goes_by_the_last_survey_that_is_done(tmp_path: Path) -> None:
    world = World()
    world.tasks = [
        survey("older", "2026-11-25T10:00:00Z"),
        survey("newer", "2026-11-25T10:00:01Z"),
        survey("failed", "2026-11-25T10:00:02Z", "Failed"),
        survey("others", "2026-11-25T10:00:03Z", log="ledger"),
    ]
    async with served(tmp_path, world) as server:
        found = await server.run("recover", "orders", *STOPPED)
        recovery = made(server)
        server.tasks.clear()
        named = await server.run("recover", "orders", "--survey", "older", *STOPPED)
        older = made(server)
        server.tasks.clear()
        back = await server.run("unfence", "orders")

    decision = {"survey": "newer", "survivor": "m-2", "stopped": ["m-0", "m-1"]}
    assert found.code == named.code == back.code == 0
    assert recovery == {"log": "orders", "action": "RecoverQuorum", "recovery": decision}
    assert older["recovery"]["survey"] == "older"
    assert made(server) == {"log": "orders", "action": "CancelSurvey", "survey": "newer"}


@pytest.mark.asyncio
@pytest.mark.parametrize("command", [("recover", "orders", *STOPPED), ("unfence", "orders")])
async def test_without_a_survey_no_task_is_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    async with served(tmp_path) as server:
        found = await server.run(*command)

    assert (found.code, server.tasks) == (1, {})
    assert "begin with `kubectl rlog survey orders`" in found.err
