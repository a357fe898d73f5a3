"""From what was gathered to what the planner knows: the world in the planner's own words.

Decides: which object is whose, what each child should be, which of them are not so.
Must not know: how it was read (gather.py), what follows from it (planner).
Read next: gather.py, model/observed.py, act.py.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from replog.wire.recovery import Survey
from replog.wire.schemas import ClusterStatus
from replog_operator.kube.children.all import companions
from replog_operator.kube.children.names import (
    BAD_TEMPLATE,
    GOOD_TEMPLATE,
    LABEL_INSTANCE,
    peer_address,
)
from replog_operator.kube.children.pod import pod_template, template_of
from replog_operator.kube.children.stateful_set import stateful_set
from replog_operator.kube.children.wanted import Object, OperatorPods, Wanted
from replog_operator.kube.claims import ClaimFacts, claim_facts
from replog_operator.kube.edited import is_edited
from replog_operator.kube.former import former_settings
from replog_operator.kube.gather import Gathered, leader_of
from replog_operator.kube.kinds import (
    BUDGET,
    CLAIM,
    CONFIG_MAP,
    NETWORK_POLICY,
    POD,
    REVISION,
    STATEFUL_SET,
    Kind,
    kind_of,
)
from replog_operator.kube.pods import PodFacts, pod_facts
from replog_operator.kube.recovery import decided_of, surveyed_of
from replog_operator.kube.sets import set_facts
from replog_operator.kube.tolerance import tolerates
from replog_operator.kube.wishes import Wishes, open_tasks
from replog_operator.members.nodes import Silent
from replog_operator.model.observed import (
    Capabilities,
    Claim,
    Observed,
    Operator,
    Pod,
    Workload,
)
from replog_operator.model.plan import Lane, Wait
from replog_operator.model.steps import Object as Seen
from replog_operator.model.surveys import Decided
from replog_operator.quantities import bytes_of

MustApply = Callable[[Object, Object | None], bool]
"""Whether a child must be applied, given how it is stored (apply.Applied.must_apply)."""
Untouched = Callable[[Object], bool]
"""Whether a stored object is as our last apply left it (apply.Applied.untouched)."""


class Around(NamedTuple):
    """The children, the StatefulSet aside: what to apply, what to remove, and what has the name of
    a child and belongs to somebody else.

    edited: somebody has changed the StatefulSet, though its template bears the hash that is wanted.
    """

    apply: tuple[Object, ...]
    remove: tuple[tuple[Kind, Seen], ...]
    foreign: tuple[str, ...]
    edited: bool = False

    @property
    def stale(self) -> tuple[str, ...]:
        """Names of those that are not as they should be."""
        removed = [f"{kind.plural}/{seen.name}" for kind, seen in self.remove]
        return (*map(named, self.apply), *removed)


def wanted_of(wishes: Wishes, found: Gathered, image: str, operator: OperatorPods | None) -> Wanted:
    """What the children should be. image: of logs that name none."""
    log, workload = wishes.log, workload_of(wishes, found)
    leader = leader_of(found.answers)
    status = None if leader is None else leader[1]
    stored = _set(wishes, found)
    first = "" if stored is None else set_facts(log.uid, stored).template_size
    remembered = (found.resource.get("status") or {}).get("lineage", "")
    return Wanted(
        name=log.name,
        namespace=log.namespace,
        uid=log.uid,
        replicas=log.replicas if workload is None else workload.replicas,
        image=wishes.image or image,
        claim_size=wishes.size,
        template_size=first or wishes.size,
        storage_class=wishes.storage_class,
        settings=wishes.settings,
        former=former_settings(
            _config_map(log.name, found), stored, found.objects[POD], found.objects[REVISION]
        ),
        lineage=remembered if status is None else status.lineage or remembered,
        decided=_decided(log.name, found),
        tolerates=tolerates(status, found.stops),
        service_type=wishes.service_type,
        service_annotations=wishes.service_annotations,
        resources=wishes.resources,
        template=wishes.template,
        network_policy=wishes.network_policy,
        operator=operator,
    )


def around(found: Gathered, wanted: Wanted, must_apply: MustApply, untouched: Untouched) -> Around:
    """Compare the children that there are with those that there should be."""
    stored = {
        (kind, item["metadata"]["name"]): item
        for kind, items in found.objects.items()
        for item in items
    }
    apply, foreign = [], []
    should = companions(wanted)
    for child in should:
        there = stored.get((kind_of(child), child["metadata"]["name"]))
        if there is not None and not is_ours(there, wanted):
            foreign.append(named(child))
        elif must_apply(child, there):
            apply.append(child)
    kept = {(kind_of(child), child["metadata"]["name"]) for child in should}
    remove = [
        (kind, seen_of(item))
        for kind in (BUDGET, NETWORK_POLICY)
        for item in found.objects[kind]
        if (kind, item["metadata"]["name"]) not in kept
        and item["metadata"]["name"] == wanted.name
        and is_ours(item, wanted)
        and "deletionTimestamp" not in item["metadata"]
    ]
    there = stored.get((STATEFUL_SET, wanted.name))
    edited = there is not None and not untouched(there) and _is_edited(there, wanted)
    return Around(tuple(apply), tuple(remove), tuple(foreign), edited)


def _is_edited(stored: Object, wanted: Wanted) -> bool:
    """What has another template is changed, or was given up; only the same one can be compared."""
    should = stateful_set(wanted)
    templates = [template_of(found["spec"]["template"]) for found in (stored, should)]
    return templates[0] == templates[1] and is_edited(stored, should)


def observed(
    wishes: Wishes,
    found: Gathered,
    wanted: Wanted,
    surroundings: Around,
    *,
    operator: Operator,
    platform: Capabilities,
    refused_growth: Mapping[str, str],
    now_s: float,
) -> Observed:
    """What the planner may know. refused_growth: why claims could not be asked to grow, by uid."""
    log = wishes.log
    pods = pods_of(wishes, found, now_s)
    claims = tuple(_claim(facts, refused_growth) for facts in claims_of(wishes, found))
    known = [pod.ordinal for pod in pods] + [claim.ordinal for claim in claims]
    size = max([log.replicas, *(1 + at for at in known if at is not None)])
    return Observed(
        now_s=now_s,
        operator=operator,
        platform=platform,
        workload=_workload(wishes, found, surroundings),
        template=template_of(pod_template(wanted)),
        addresses=tuple(peer_address(log.name, log.namespace, at) for at in range(size)),
        stale=surroundings.stale,
        pods=tuple(_pod(facts) for facts in pods),
        claims=claims,
        answers=answers_by_ordinal(wishes, found, now_s),
        stops=found.stops,
        blockers=found.blockers,
        cluster_id=(found.resource.get("status") or {}).get("clusterID", ""),
        tasks=tuple(open_tasks(found.resource, found.tasks, found.objects[CLAIM])),
        silent=_silent(wishes, found, now_s),
        surveys=_surveys(wishes, found, now_s),
        surveyed=surveyed_of(log.name, found.tasks),
        decided=_decided(log.name, found),
    )


def _decided(name: str, found: Gathered) -> Decided:
    cluster_id = (found.resource.get("status") or {}).get("clusterID", "")
    return decided_of(_config_map(name, found), found.objects[CLAIM], cluster_id)


def _surveys(wishes: Wishes, found: Gathered, now_s: float) -> dict[int, Survey]:
    """What members have, by the ordinal of the pod."""
    ordinals = {pod.uid: pod.ordinal for pod in pods_of(wishes, found, now_s)}
    return {
        ordinal: survey
        for uid, survey in found.surveys.items()
        if (ordinal := ordinals.get(uid)) is not None
    }


def _silent(wishes: Wishes, found: Gathered, now_s: float) -> dict[int, str]:
    """Why members that were asked said nothing, by the ordinal of the pod."""
    ordinals = {pod.uid: pod.ordinal for pod in pods_of(wishes, found, now_s)}
    return {
        ordinal: answer.why
        for uid, answer in found.answers.items()
        if isinstance(answer, Silent) and (ordinal := ordinals.get(uid)) is not None
    }


def answers_by_ordinal(wishes: Wishes, found: Gathered, now_s: float) -> dict[int, ClusterStatus]:
    """What members say, by the ordinal of the pod that said it."""
    ordinals = {pod.uid: pod.ordinal for pod in pods_of(wishes, found, now_s)}
    return {
        ordinal: answer
        for uid, answer in found.answers.items()
        if isinstance(answer, ClusterStatus) and (ordinal := ordinals.get(uid)) is not None
    }


def pods_of(wishes: Wishes, found: Gathered, now_s: float) -> list[PodFacts]:
    """The log's pods, by name."""
    pods = [pod_facts(wishes.log.name, pod, now_s) for pod in found.objects[POD]]
    return sorted(pods, key=lambda pod: (pod.ordinal is None, pod.ordinal or 0, pod.name))


def claims_of(wishes: Wishes, found: Gathered) -> list[ClaimFacts]:
    """The log's claims."""
    log = wishes.log
    return [claim_facts(log.name, log.uid, claim) for claim in found.objects[CLAIM]]


def workload_of(wishes: Wishes, found: Gathered) -> Workload | None:
    """The StatefulSet, if there is one of the log's name."""
    stored = _set(wishes, found)
    if stored is None:
        return None
    facts, notes = set_facts(wishes.log.uid, stored), _notes(stored)
    return Workload(
        name=facts.name,
        uid=facts.uid,
        resource_version=facts.resource_version,
        replicas=facts.replicas,
        template=template_of(stored["spec"]["template"]),
        revision=facts.revision,
        good_template=notes.get(GOOD_TEMPLATE, ""),
        bad_template=notes.get(BAD_TEMPLATE, ""),
        terminating=facts.terminating,
        foreign=not facts.owned or not _is_labelled(stored, wishes.log.name),
    )


def _workload(wishes: Wishes, found: Gathered, surroundings: Around) -> Workload | None:
    """The StatefulSet; an edited one has no template of ours, and pods made now none that counts.

    So it gets ours again before anything is rolled out, and no pod is compared with the edit.
    """
    workload = workload_of(wishes, found)
    if workload is None or not surroundings.edited:
        return workload
    return workload._replace(template="", revision="")


def is_ours(item: Object, wanted: Wanted) -> bool:
    """Whether it was made for this log, or was left over by one of its name for whoever comes."""
    controllers = [
        owner["uid"]
        for owner in item["metadata"].get("ownerReferences") or ()
        if owner.get("controller")
    ]
    return _is_labelled(item, wanted.name) and controllers in ([], [wanted.uid])


def named(child: Object) -> str:
    """A child for people: `services/orders`."""
    return f"{kind_of(child).plural}/{child['metadata']['name']}"


def seen_of(item: Object) -> Seen:
    """The reference by which a deed names an object."""
    metadata = item["metadata"]
    return Seen(metadata["name"], metadata["uid"], metadata["resourceVersion"])


def _is_labelled(item: Object, log: str) -> bool:
    return bool((item["metadata"].get("labels") or {}).get(LABEL_INSTANCE) == log)


def _config_map(name: str, found: Gathered) -> Object | None:
    maps = found.objects[CONFIG_MAP]
    return next((item for item in maps if item["metadata"]["name"] == name), None)


def _set(wishes: Wishes, found: Gathered) -> Object | None:
    name = wishes.log.name
    sets = found.objects[STATEFUL_SET]
    return next((item for item in sets if item["metadata"]["name"] == name), None)


def _notes(item: Object) -> Mapping[str, Any]:
    notes: Mapping[str, Any] = item["metadata"].get("annotations") or {}
    return notes


def _pod(facts: PodFacts) -> Pod:
    return Pod(
        facts.name, facts.uid, facts.resource_version, facts.ordinal, facts.state, facts.since_s,
        facts.created_s, facts.revision, facts.message,
    )  # fmt: skip


def _claim(facts: ClaimFacts, refused_growth: Mapping[str, str]) -> Claim:
    return Claim(
        name=facts.name,
        uid=facts.uid,
        resource_version=facts.resource_version,
        ordinal=facts.ordinal,
        cluster_id=facts.cluster_id,
        member_id=facts.member_id,
        retired=facts.retired,
        terminating=facts.terminating,
        size_bytes=bytes_of(facts.size),
        owned=facts.owned,
        refusal=facts.resize or refused_growth.get(facts.uid, ""),
        capacity_bytes=bytes_of(facts.capacity or "0"),
    )


def foreign_waits(surroundings: Around) -> tuple[Wait, ...]:
    """What is waited for where somebody else's object has a child's name."""
    if not surroundings.foreign:
        return ()
    evidence = f"{', '.join(surroundings.foreign)} belongs to somebody else"
    return (Wait(Lane.OBJECTS, "ForeignObject", evidence),)
