"""The warden on a real driver and store: what is silent when, and what is durable before what."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from replog.wire.problems import ApiError
from replog.wire.recovery import FenceRequest, ForceMembersRequest, Survey
from replog_node.adapters import warden as module
from replog_node.adapters.lineage_file import Unclear, read_lineage
from replog_node.adapters.warden import Warden
from replog_node.driver.standing import Standing
from replog_node.model.positions import ClusterId, Lineage
from replog_node.recovery.record import FENCE_NAME, Fence, load_fence, save_fence
from replog_node.storage.errors import NoRoom
from tests.unit.driver.rig import CLUSTER, Node, Rig, batch

pytestmark = pytest.mark.asyncio

FENCE = FenceRequest("survey-1")
LIMIT_S = 5.0


class Watched:
    """A warden over a node of a rig, and what it told."""

    def __init__(self, node: Node, *, lineage_file: str = "", save: Any = None) -> None:
        self.node = node
        self.begun_anew = 0
        self.failures: list[BaseException] = []
        self.warden = Warden(
            node.driver, node.store, node, fence=load_fence(node.disk),
            save=save or partial(save_fence, node.disk), lineage_file=lineage_file,
            new_lineage_id=lambda: "next", notes=node, on_failure=self.failures.append,
            anew=self._anew,
        )  # fmt: skip
        self.warden.begin()

    def _anew(self) -> None:
        self.begun_anew += 1

    @property
    def standing(self) -> Standing:
        return self.node.driver.membership.standing

    async def ask(self, call: Any, request: Any) -> Any:
        """Make a call while the rig goes on."""
        task = asyncio.ensure_future(call(request, timeout_s=LIMIT_S))
        while not task.done():
            self.node.rig.deliver()
            await asyncio.sleep(0.001)
        return task.result()

    async def fence(self, operation: str = "survey-1") -> Survey:
        found = await self.ask(self.warden.fence_for, FenceRequest(operation))
        assert isinstance(found, Survey)
        return found


async def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ApiError) as refusal:
        await call()
    return refusal.value.code


def remembered(node: Node) -> Fence:
    return load_fence(node.disk.copy())


async def test_a_fence_is_silent_at_once_and_answered_when_all_is_on_the_disk() -> None:
    rig = Rig(3).found()
    node = rig.nodes[1]
    watched = Watched(node)
    node.stalled = True
    rig.nodes[0].append(batch("on its way to the disk"))
    rig.deliver()
    assert node.persists

    asked = asyncio.ensure_future(watched.warden.fence_for(FENCE, timeout_s=LIMIT_S))
    await asyncio.sleep(0.01)
    assert watched.standing is Standing.FENCED and node.driver.kernel.core is None
    rig.deliver()
    await asyncio.sleep(0.01)
    assert not asked.done() and not node.disk.has(FENCE_NAME)

    sent = len(rig.mail)
    node.stalled = False
    node.work()
    survey = await asked
    assert remembered(node).operation == "survey-1"
    assert survey.last_offset == node.store.tail.position.offset
    assert survey.chain == node.store.tail.chain.hex()
    assert survey.last_offset == rig.nodes[0].store.tail.position.offset
    assert len(rig.mail) == sent, "nothing was acknowledged of what came before the fence"
    assert survey.commit_offset == survey.last_offset - 1
    assert survey.whole and survey.voters == sorted(each.member for each in rig.nodes)


async def test_a_fence_that_takes_too_long_says_so_and_comes_all_the_same() -> None:
    node = Rig(1).found().nodes[0]
    watched = Watched(node)
    node.stalled = True
    assert await refused(partial(watched.warden.fence_for, FENCE, timeout_s=0.01)) == "timeout"
    node.stalled = False
    node.rig.deliver()
    survey = await watched.fence()
    assert (survey.fenced_by, remembered(node).operation) == ("survey-1", "survey-1")


async def test_one_operation_fences_and_only_it_lifts_the_fence() -> None:
    node = Rig(1).found().nodes[0]
    watched = Watched(node)
    first = await watched.fence()
    assert await watched.fence() == first
    assert await refused(partial(watched.fence, "other")) == "conflict"
    lift = partial(watched.ask, watched.warden.unfence)
    assert await refused(partial(lift, FenceRequest("other"))) == "conflict"
    assert (await lift(FENCE)).done
    assert remembered(node).operation == ""
    assert (await lift(FENCE)).done, "repeated"
    await asyncio.sleep(module.ANEW_S * 1.5)
    assert watched.begun_anew == 1
    assert await refused(watched.fence) == "conflict", "a late call fences nobody"


async def test_a_fence_for_which_there_is_no_room_is_lifted_by_a_new_start() -> None:
    def full(_: Fence) -> None:
        raise NoRoom("the disk is full")

    watched = Watched(Rig(1).found().nodes[0], save=full)
    assert await refused(watched.fence) == "disk_full"
    await asyncio.sleep(module.ANEW_S * 1.5)
    assert watched.begun_anew == 1 and watched.failures == []


async def test_who_belongs_to_nothing_is_not_fenced() -> None:
    watched = Watched(Rig(1).nodes[0])
    assert await refused(watched.fence) == "unassigned"
    with pytest.raises(ApiError, match="no cluster"):
        watched.warden.survey()


async def test_an_order_is_durable_before_it_is_answered_and_repeated_it_is_the_same() -> None:
    node = Rig(1).found().nodes[0]
    watched = Watched(node)
    survey = await watched.fence()
    request = ForceMembersRequest("survey-1", 2, survey.last_offset, survey.chain, [])
    force = partial(watched.ask, watched.warden.force_members)
    wrong = ForceMembersRequest("survey-1", 2, survey.last_offset, "00" * 16, [])
    assert await refused(partial(force, wrong)) == "recovery_refused"
    assert remembered(node).force is None
    done = await force(request)
    ordered = remembered(node).force
    assert ordered is not None and ordered.lineage == Lineage(2, "next")
    assert done.offset == survey.last_offset + 2
    assert await force(request) == done
    assert remembered(node).force == ordered
    lift = partial(watched.ask, watched.warden.unfence, FENCE)
    assert await refused(lift) == "conflict"
    await asyncio.sleep(module.ANEW_S * 1.5)
    assert watched.begun_anew == 1


async def test_an_order_without_a_fence_is_refused() -> None:
    watched = Watched(Rig(1).found().nodes[0])
    survey = watched.warden.survey()
    request = ForceMembersRequest("survey-1", 2, survey.last_offset, survey.chain, [])
    force = partial(watched.ask, watched.warden.force_members, request)
    assert await refused(force) == "not_fenced"


async def test_a_newer_lineage_that_is_heard_of_is_remembered() -> None:
    node = Rig(1).found().nodes[0]
    watched = Watched(node)
    watched.warden.fence(Lineage(4, "newer"))
    assert watched.standing is Standing.FENCED
    while not remembered(node).heard:
        node.rig.deliver()
        await asyncio.sleep(0.001)
    assert remembered(node) == Fence(heard=4)
    assert "lineage 4" in watched.warden.why

    node.kill()
    node.start()
    assert Watched(node).standing is Standing.FENCED


async def test_nobody_is_taken_into_a_life_of_the_log_that_is_over(tmp_path: Path) -> None:
    file = tmp_path / "lineage"
    file.write_text("3")
    node = Rig(1).nodes[0]
    warden = Watched(node, lineage_file=str(file)).warden
    answers: list[bool] = []
    warden.adopt(ClusterId(CLUSTER), Lineage(2, "old"), answers.append)
    assert answers == [False] and not node.assigns
    warden.adopt(ClusterId(CLUSTER), Lineage(3, "new"), answers.append)
    node.rig.deliver()
    assert answers == [False, True]


async def test_the_lineage_file_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    file = tmp_path / "lineage"
    watched = Watched(Rig(1).found().nodes[0], lineage_file=str(file))
    watched.warden.start()
    for nothing in ("", "1", "x", "0"):
        file.write_text(nothing)
        await asyncio.sleep(0.05)
        assert watched.standing is Standing.MEMBER
    assert watched.node.notes.count("lineage_file_unclear") == 1
    file.write_text(" 2\n")
    while watched.standing is Standing.MEMBER:
        await asyncio.sleep(0.01)
    await watched.warden.close()
    assert watched.failures == []


@pytest.mark.parametrize(
    ("content", "number"), [(b"", 0), (b" \n", 0), (b"7\n", 7), (b"0", 0), (b"12", 12)]
)
async def test_what_the_file_says(tmp_path: Path, content: bytes, number: int) -> None:
    file = tmp_path / "lineage"
    file.write_bytes(content)
    assert read_lineage(str(file)) == number


@pytest.mark.parametrize("content", [b"-1", b"2.abc", b"two", b"\xff", b"1" * 65])
async def test_what_the_file_does_not_say(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "lineage"
    file.write_bytes(content)
    with pytest.raises(Unclear):
        read_lineage(str(file))


async def test_no_file_says_nothing_and_a_directory_nothing_clear(tmp_path: Path) -> None:
    assert read_lineage("") == read_lineage(str(tmp_path / "none")) == 0
    with pytest.raises(Unclear):
        read_lineage(str(tmp_path))
