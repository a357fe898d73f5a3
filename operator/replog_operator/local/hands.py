"""Each of the planner's deeds, done to this machine's state, processes and members.

As everywhere, a deed names what it was planned from; what is another by now is left alone.

Decides: how each deed is done here, and which are impossible. Must not know: when one is due.
Read next: processes.py, state.py, ../members/orders.py.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from msgspec.structs import replace

from replog_operator.local.directory import taken
from replog_operator.local.gather import LocalNodes
from replog_operator.local.notes import ClaimNote, Template, WorkloadNote
from replog_operator.local.processes import Processes, TooManyAside
from replog_operator.local.settings import UpSettings
from replog_operator.local.state import StateFile, new_uid
from replog_operator.members.orders import Orders
from replog_operator.members.outcomes import DONE, Became, Outcome
from replog_operator.model import steps
from replog_operator.model.observed import Operator

ToProcesses = (
    steps.MakeWorkload | steps.SetReplicas | steps.ApplyTemplate | steps.RollBack | steps.NoteGood
    | steps.EvictPod | steps.DeletePod
)  # fmt: skip
ToClaims = steps.StampClaim | steps.RetireClaim | steps.DeleteClaim
ToMembers = steps.Bootstrap | steps.SetTarget | steps.Transfer | steps.RaiseFeatureLevel


class Hands:
    """Of one supervisor, which alone may use the directory."""

    def __init__(
        self, file: StateFile, processes: Processes, settings: UpSettings, nodes: LocalNodes
    ) -> None:
        self._file = file
        self._processes = processes
        self._settings = settings
        self._orders = Orders(nodes)

    async def do(
        self, step: steps.Step, operator: Operator, wanted: tuple[str, Template]
    ) -> Outcome:
        """Carry it out; what became of it. wanted: the template asked for now, and its hash."""
        try:
            if isinstance(step, ToMembers):
                return await self._to_members(step, operator)
            if isinstance(step, ToClaims):
                return self._to_claims(step)
            if isinstance(step, ToProcesses):
                return self._to_processes(step, wanted)
        except (OSError, TooManyAside) as problem:
            return Outcome(Became.REFUSED, type(problem).__name__, str(problem))
        name = type(step).__name__
        return Outcome(Became.REFUSED, "Impossible", f"{name} means nothing on one machine")

    async def _to_members(self, step: ToMembers, operator: Operator) -> Outcome:
        ordinal = step.ordinal if isinstance(step, steps.Bootstrap) else step.leader
        at, orders = self._settings.peer_address(ordinal), self._orders
        match step:
            case steps.Bootstrap(cluster_id=cluster_id, operation=operation):
                return await orders.bootstrap(at, cluster_id, operation)
            case steps.SetTarget(members=members, planned_from=planned, operation=operation):
                return await orders.set_target(at, members, operation, planned, operator)
            case steps.Transfer(to=to):
                return await orders.transfer(at, to, operator)
            case steps.RaiseFeatureLevel(feature_level=level):
                return await orders.raise_level(at, level, operator)

    def _to_claims(self, step: ToClaims) -> Outcome:
        found = self._file.now.claims
        ordinal = next((at for at, claim in found.items() if claim.uid == step.claim.uid), None)
        if ordinal is None or str(found[ordinal].version) != step.claim.resource_version:
            return Outcome(Became.SUPERSEDED, "Conflict", f"{step.claim.name} is another by now")
        match step:
            case steps.StampClaim(cluster_id=cluster_id, member_id=member):
                self._note(ordinal, cluster_id=cluster_id, member_id=member)
            case steps.RetireClaim():
                self._note(ordinal, retired=True)
            case steps.DeleteClaim():
                self._processes.give_up(ordinal)
            case _:
                assert_never(step)
        return DONE

    def _note(self, ordinal: int, **notes: Any) -> None:
        state = self._file.now
        claim: ClaimNote = state.claims[ordinal]
        noted = replace(claim, version=claim.version + 1, **notes)
        self._file.save(replace(state, claims={**state.claims, ordinal: noted}))

    def _to_processes(self, step: ToProcesses, wanted: tuple[str, Template]) -> Outcome:
        if isinstance(step, steps.MakeWorkload):
            return self._make(step.replicas, wanted)
        if isinstance(step, steps.EvictPod | steps.DeletePod):
            return self._end(step)
        workload, seen = self._file.now.workload, step.workload
        if workload is None or (workload.uid, str(workload.version)) != (
            seen.uid,
            seen.resource_version,
        ):
            return Outcome(Became.SUPERSEDED, "Conflict", "the workload is another by now")
        match step:
            case steps.SetReplicas(replicas=replicas):
                return self._scale(workload, replicas)
            case steps.ApplyTemplate(template=template):
                if template != wanted[0]:
                    return Outcome(Became.SUPERSEDED, "Conflict", "another template is wanted")
                self._work(workload, {"template": template, "bad_template": ""}, wanted[1])
            case steps.RollBack(good_template=good, bad_template=bad):
                self._work(workload, {"template": good, "bad_template": bad})
            case steps.NoteGood(template=template):
                self._work(workload, {"good_template": template})
            case _:
                assert_never(step)
        return DONE

    def _make(self, replicas: int, wanted: tuple[str, Template]) -> Outcome:
        name, template = wanted
        state = self._file.now
        workload = WorkloadNote(new_uid(), replicas, name)
        self._file.save(replace(state, workload=workload, templates={name: template}))
        return DONE

    def _scale(self, workload: WorkloadNote, replicas: int) -> Outcome:
        fault = self._settings.port_fault(replicas)
        busy = taken(self._settings.ports(range(workload.replicas, replicas)))
        if fault is not None or busy:
            said = fault or f"in use already: {', '.join(busy)}"
            return Outcome(Became.REFUSED, "PortsTaken", said)
        self._work(workload, {"replicas": replicas})
        return DONE

    def _work(
        self, workload: WorkloadNote, notes: Mapping[str, Any], template: Template | None = None
    ) -> None:
        state = self._file.now
        noted = replace(workload, version=workload.version + 1, **notes)
        more = {} if template is None else {noted.template: template}
        templates = {**state.templates, **more}
        self._file.save(replace(state, workload=noted, templates=templates))

    def _end(self, step: steps.EvictPod | steps.DeletePod) -> Outcome:
        slots = self._processes.slots
        slot = next((each for each in slots.values() if each.note.uid == step.pod.uid), None)
        if slot is None or slot.stopping:
            return Outcome(Became.SUPERSEDED, "NotFound", f"{step.pod.name} is gone")
        if isinstance(step, steps.EvictPod) and any(each.stopping for each in slots.values()):
            return Outcome(Became.REFUSED, "TooManyRequests", "another member is being stopped")
        slot.stop()
        return DONE
