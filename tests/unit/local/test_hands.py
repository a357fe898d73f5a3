"""Deeds on what has changed since they were planned, and deeds that one machine has not."""

import socket
from pathlib import Path

import pytest

from replog_operator.local.gather import LocalNodes
from replog_operator.local.hands import Hands
from replog_operator.local.notes import ClaimNote, State, Template, WorkloadNote
from replog_operator.local.processes import ASIDE_MOST, Processes
from replog_operator.local.settings import UpSettings
from replog_operator.local.state import StateFile, load
from replog_operator.members.outcomes import Became, Outcome
from replog_operator.model import steps
from replog_operator.model.observed import Operator

OPERATOR = Operator(1, "local#test")
WANTED = ("new", Template(("node",)))
WORKLOAD = steps.Object("member", "w", "1")
CLAIM = steps.Object("member-1", "c", "1")
PORT = 26_000


class Machine:
    """A directory with a log of three, of which nothing runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        state = State(
            "uid", str(directory / "log.yaml"), PORT, PORT + 10,
            workload=WorkloadNote("w", 3, "old", good_template="old"),
            templates={"old": Template(("node",))},
            claims={1: ClaimNote("c", member_id="m", retired=True)},
        )  # fmt: skip
        self.file = StateFile(directory, state)
        settings = UpSettings(data_dir=directory, client_port=PORT, peer_port=PORT + 10)
        processes = Processes(
            self.file, settings, {}, lambda _: None, lambda _: False, lambda _: None
        )
        self.hands = Hands(self.file, processes, settings, LocalNodes(None))

    async def do(self, step: steps.Step) -> Outcome:
        return await self.hands.do(step, OPERATOR, WANTED)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "step",
    [
        steps.SetReplicas(WORKLOAD._replace(resource_version="0"), 5),
        steps.SetReplicas(WORKLOAD._replace(uid="another"), 5),
        steps.ApplyTemplate(WORKLOAD, "asked for before"),
        steps.NoteGood(WORKLOAD._replace(resource_version="7"), "old"),
        steps.RetireClaim(CLAIM._replace(resource_version="2")),
        steps.DeleteClaim(CLAIM._replace(uid="another"), "a new member begins"),
        steps.EvictPod(steps.Object("member-0", "gone", "1"), "outdated"),
    ],
    ids=lambda step: type(step).__name__,
)
async def test_a_deed_on_what_has_changed_since_changes_nothing(
    machine: Machine, step: steps.Step
) -> None:
    before = machine.file.now
    outcome = await machine.do(step)
    assert outcome.became is Became.SUPERSEDED and machine.file.now == before


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "step",
    [
        steps.ApplyChildren(("services/a",)),
        steps.MakeClaim(0, "c", False),
        steps.ExpandClaim(CLAIM, 5),
        steps.OwnClaim(CLAIM, True),
        steps.TakeSnapshot(0, "task"),
        steps.FinishTask("task", True, "done"),
    ],
    ids=lambda step: type(step).__name__,
)
async def test_what_one_machine_has_not_is_refused_aloud(
    machine: Machine, step: steps.Step
) -> None:
    outcome = await machine.do(step)
    assert outcome.became is Became.REFUSED and "means nothing on one machine" in outcome.message


@pytest.mark.asyncio
async def test_what_is_done_is_remembered(machine: Machine) -> None:
    await machine.do(steps.ApplyTemplate(WORKLOAD, "new"))
    await machine.do(steps.RollBack(WORKLOAD._replace(resource_version="2"), "old", "new"))
    found = load(machine.directory)
    assert found is not None and found.workload is not None
    assert (found.workload.template, found.workload.bad_template) == ("old", "new")


@pytest.mark.asyncio
async def test_a_directory_that_is_given_up_is_kept_beside(machine: Machine) -> None:
    (machine.directory / "member-1").mkdir()
    (machine.directory / "member-1" / "identity").write_text("mine")
    outcome = await machine.do(steps.DeleteClaim(CLAIM, "a new member begins"))
    assert outcome.became is Became.DONE and machine.file.now.claims == {}
    kept = machine.directory / "member-1.retired-1" / "identity"
    assert kept.read_text() == "mine" and not (machine.directory / "member-1").exists()


@pytest.mark.asyncio
async def test_when_too_many_are_kept_nothing_more_is_given_up(machine: Machine) -> None:
    (machine.directory / "member-1").mkdir()
    for number in range(ASIDE_MOST):
        (machine.directory / f"member-2.retired-{number}").mkdir()
    outcome = await machine.do(steps.DeleteClaim(CLAIM, "a new member begins"))
    assert outcome.became is Became.REFUSED and "remove those that nobody needs" in outcome.message
    assert (machine.directory / "member-1").exists() and 1 in machine.file.now.claims


@pytest.mark.asyncio
async def test_members_whose_ports_are_taken_are_not_begun(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", PORT + 4)):
        outcome = await machine.do(steps.SetReplicas(WORKLOAD, 5))
    assert outcome == Outcome(Became.REFUSED, "PortsTaken", f"in use already: 127.0.0.1:{PORT + 4}")
    assert (await machine.do(steps.SetReplicas(WORKLOAD, 5))).became is Became.DONE
