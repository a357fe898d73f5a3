"""One step of a plan, carried out: each of the planner's deeds by the hand that does it.

Decides: what of the world a deed needs that the step doesn't name (addresses, objects whole).
Must not know: when a deed is due, how it is fenced (hands.py, writing.py).
Read next: hands.py, outcomes.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, assert_never

from replog_operator.kube.children.claim import claim_owner, data_claim
from replog_operator.kube.children.config_map import config_map
from replog_operator.kube.children.names import CLUSTER_ID
from replog_operator.kube.children.pod import template_of
from replog_operator.kube.children.stateful_set import stateful_set
from replog_operator.kube.children.wanted import Object, Wanted
from replog_operator.kube.gather import Gathered, pod_ip
from replog_operator.kube.hands import Hands
from replog_operator.kube.kinds import CLAIM, CONFIG_MAP, POD, REVISION
from replog_operator.kube.observe import Around, seen_of
from replog_operator.kube.task_status import ended
from replog_operator.members.outcomes import DONE, Became, Outcome
from replog_operator.model import steps
from replog_operator.model.observed import Operator, Workload
from replog_operator.model.surveys import Decided, Report
from replog_operator.quantities import bytes_of


class Scene(NamedTuple):
    """What a pass knows beside its plan. now_s: since 1970."""

    wanted: Wanted
    found: Gathered
    around: Around
    workload: Workload | None
    operator: Operator
    now_s: float


ToObjects = (
    steps.ApplyChildren | steps.MakeWorkload | steps.ApplyTemplate | steps.RollBack
    | steps.NoteGood | steps.SetReplicas | steps.RaiseLineage
)  # fmt: skip
ToClaims = (
    steps.MakeClaim | steps.StampClaim | steps.RetireClaim | steps.DeleteClaim
    | steps.ExpandClaim | steps.OwnClaim
)  # fmt: skip
ToMembers = (
    steps.Bootstrap | steps.SetTarget | steps.Transfer | steps.RaiseFeatureLevel
    | steps.TakeSnapshot
)  # fmt: skip
ToFenced = steps.FenceMember | steps.UnfenceMember | steps.ForceMembers


async def act(step: steps.Step, scene: Scene, hands: Hands) -> Outcome:
    """Carry it out; what became of it. Raises the loss of the lease, and nothing else."""
    if isinstance(step, ToObjects):
        return await _to_objects(step, scene, hands)
    if isinstance(step, ToClaims):
        return await _to_claims(step, scene, hands)
    if isinstance(step, ToMembers):
        return await _to_members(step, scene, hands)
    if isinstance(step, ToFenced):
        return await _to_fenced(step, scene, hands)
    match step:
        case steps.EvictPod(pod=pod):
            return await hands.evict_pod(pod)
        case steps.DeletePod(pod=pod):
            return await hands.delete_pod(pod)
        case steps.FinishTask(task=task, done=done, message=message, report=report):
            return await _end_task(task, scene, hands, done=done, message=message, report=report)
        case _:
            assert_never(step)


async def _to_objects(step: ToObjects, scene: Scene, hands: Hands) -> Outcome:
    match step:
        case steps.ApplyChildren():
            return await _children(scene.around, hands)
        case steps.MakeWorkload(replicas=replicas):
            return await hands.apply(stateful_set(scene.wanted._replace(replicas=replicas)))
        case steps.ApplyTemplate(workload=workload):
            good = _good(scene)
            return await hands.apply(_fenced(stateful_set(scene.wanted, good=good), workload))
        case steps.RollBack(workload=workload, good_template=good, bad_template=bad):
            template = kept_template(good, scene.found.objects[REVISION])
            if template is None:
                missing = f"the history has no template {good} any more"
                return Outcome(Became.REFUSED, "NoSuchTemplate", missing)
            found = stateful_set(scene.wanted, good=good, bad=bad)
            found["spec"]["template"] = template
            return await hands.apply(_fenced(found, workload))
        case steps.NoteGood(workload=workload, template=template_hash):
            return await hands.note_good(workload, template_hash)
        case steps.SetReplicas(workload=workload, replicas=replicas):
            return await hands.scale(workload, replicas)
        case steps.RaiseLineage(decided=decided):
            return await _raise_lineage(decided, scene, hands)
        case _:
            assert_never(step)


async def _raise_lineage(decided: Decided, scene: Scene, hands: Hands) -> Outcome:
    """Into the ConfigMap as this pass saw it: what it holds is what was decided from."""
    name = scene.wanted.name
    maps = scene.found.objects[CONFIG_MAP]
    stored = next((item for item in maps if item["metadata"]["name"] == name), None)
    if stored is None:
        return Outcome(Became.SUPERSEDED, "NotFound", f"the ConfigMap {name} is gone")
    return await hands.apply(config_map(scene.wanted._replace(decided=decided)), seen_of(stored))


async def _children(around: Around, hands: Hands) -> Outcome:
    """All that are not as they should be; the first that fails ends it."""
    for child in around.apply:
        outcome = await hands.apply(child)
        if outcome.became is not Became.DONE:
            return outcome
    for kind, seen in around.remove:
        outcome = await hands.remove(kind, seen)
        if outcome.became is not Became.DONE:
            return outcome
    return DONE


def _good(scene: Scene) -> str:
    return "" if scene.workload is None else scene.workload.good_template


def _fenced(found: Object, workload: steps.Object) -> Object:
    """The same, refused if the StatefulSet is another by now."""
    fence = {"uid": workload.uid, "resourceVersion": workload.resource_version}
    return {**found, "metadata": {**found["metadata"], **fence}}


def kept_template(wanted: str, history: Sequence[Object]) -> Mapping[str, Any] | None:
    """A template that pods were made from before, as the StatefulSet's history keeps it.

    The oldest of its hash: a newer one beside it is what somebody has edited.
    """
    by_age = sorted(history, key=lambda revision: revision["metadata"].get("creationTimestamp", ""))
    for revision in by_age:
        template = revision["data"]["spec"]["template"]
        if template_of(template) == wanted:
            return {name: value for name, value in template.items() if name != "$patch"}
    return None


async def _to_claims(step: ToClaims, scene: Scene, hands: Hands) -> Outcome:
    match step:
        case steps.MakeClaim(ordinal=ordinal, cluster_id=cluster_id, owned=owned):
            claim = data_claim(scene.wanted, ordinal, owned=owned)
            claim["metadata"]["annotations"] = {CLUSTER_ID: cluster_id}
            return await hands.make_claim(claim)
        case steps.StampClaim(claim=seen, cluster_id=cluster_id, member_id=member):
            return await hands.stamp_claim(seen, cluster_id, member)
        case steps.RetireClaim(claim=seen):
            return await hands.retire_claim(seen)
        case steps.DeleteClaim(claim=seen):
            return await hands.delete_claim(seen)
        case steps.ExpandClaim(claim=seen, size_bytes=size_bytes):
            return await hands.expand_claim(seen, _size(scene.wanted, size_bytes))
        case steps.OwnClaim(claim=seen, owned=owned):
            return await hands.own_claim(seen, _owners(scene, seen, owned=owned))
        case _:
            assert_never(step)


def _size(wanted: Wanted, size_bytes: int) -> str:
    """The size in the resource's own words, if it is that."""
    return wanted.claim_size if bytes_of(wanted.claim_size) == size_bytes else str(size_bytes)


def _owners(scene: Scene, seen: steps.Object, *, owned: bool) -> list[Object]:
    """The claim's owners with, or without, the resource; those of others stay."""
    stored = next(
        (item for item in scene.found.objects[CLAIM] if item["metadata"]["uid"] == seen.uid), None
    )
    there = [] if stored is None else stored["metadata"].get("ownerReferences") or []
    others = [owner for owner in there if owner["uid"] != scene.wanted.uid]
    return [*others, claim_owner(scene.wanted)] if owned else others


async def _to_members(step: ToMembers, scene: Scene, hands: Hands) -> Outcome:
    ordinal = step.ordinal if isinstance(step, steps.Bootstrap) else step.leader
    ip = _ip(scene, ordinal)
    if not ip:
        return Outcome(Became.SUPERSEDED, "Silent", f"ordinal {ordinal} has no address any more")
    match step:
        case steps.Bootstrap(cluster_id=cluster_id, operation=operation):
            return await hands.bootstrap(ip, cluster_id, operation)
        case steps.SetTarget(members=members, planned_from=planned_from, operation=operation):
            return await hands.set_target(ip, members, operation, planned_from, scene.operator)
        case steps.Transfer(to=to):
            return await hands.transfer(ip, to, scene.operator)
        case steps.RaiseFeatureLevel(feature_level=level):
            return await hands.raise_level(ip, level, scene.operator)
        case steps.TakeSnapshot(task=task):
            outcome = await hands.take_snapshot(ip, scene.operator)
            if outcome.became is not Became.DONE:
                return outcome
            return await _end_task(task, scene, hands, done=True, message=outcome.message)
        case _:
            assert_never(step)


def _ip(scene: Scene, ordinal: int) -> str:
    name = f"{scene.wanted.name}-{ordinal}"
    pods = scene.found.objects[POD]
    return next((pod_ip(pod) for pod in pods if pod["metadata"]["name"] == name), "")


async def _to_fenced(step: ToFenced, scene: Scene, hands: Hands) -> Outcome:
    ip = _ip(scene, step.ordinal)
    if not ip:
        silent = f"ordinal {step.ordinal} has no address any more"
        return Outcome(Became.SUPERSEDED, "Silent", silent)
    match step:
        case steps.FenceMember(operation=operation):
            return await hands.fence(ip, operation)
        case steps.UnfenceMember(operation=operation):
            return await hands.unfence(ip, operation)
        case steps.ForceMembers():
            return await hands.force_members(ip, step)
        case _:
            assert_never(step)


async def _end_task(
    name: str, scene: Scene, hands: Hands, *, done: bool, message: str,
    report: Report | None = None,
) -> Outcome:  # fmt: skip
    task = next((item for item in scene.found.tasks if item["metadata"]["name"] == name), None)
    if task is None:
        return Outcome(Became.SUPERSEDED, "NotFound", f"task {name} is gone")
    status = ended(task, done=done, message=message, now_s=scene.now_s, report=report)
    return await hands.note_task(task, status)
