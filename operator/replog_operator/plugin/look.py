"""A log as the operator would see it at the start of its next pass, and what it would plan.

The operator remembers a little from pass to pass: what it applied, which growth was refused, whose
turn it is to roll. Children are compared here as by an operator that has just started; the rest it
has told in the status, and is taken from there.

Decides: what stands for the operator's memory, and in whose name is planned.
Must not know: how anything was read, how a plan is shown.
Read next: ../kube/observe.py, ../planner/plan.py, plan_command.py.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from replog.wire.schemas import ClusterStatus, TargetStatus
from replog_operator.kube.apply import Applied
from replog_operator.kube.children.wanted import Object, OperatorPods
from replog_operator.kube.gather import Gathered
from replog_operator.kube.kinds import CLAIM, NETWORK_POLICY
from replog_operator.kube.lease import read
from replog_operator.kube.observe import around, foreign_waits, observed, wanted_of
from replog_operator.kube.wishes import wishes
from replog_operator.model.observed import Capabilities, Operator, lease_of
from replog_operator.model.plan import Plan
from replog_operator.planner.plan import plan

NOBODY: Final = Operator(1, "unknown/unknown#kubectl-rlog")
"""Of a log that no operator has told anything yet; who founds it does not matter to a plan."""
SILENT_S: Final = 30.0
"""A lease that was renewed longer ago has no holder who lives, or one of our clocks is wrong."""
REMEMBERED: Final = frozenset({"StepFailed"})
"""Waits that follow from what the operator tried, which nobody else can see."""


class Told(NamedTuple):
    """A wait of the status that a plan can't have."""

    code: str
    message: str


def planned(found: Gathered, operator: Operator, now_s: float) -> Plan:
    """What the operator would do now. Raises as wishes does."""
    log = wishes(found.resource)
    wanted = wanted_of(log, found, "", operator_pods(found))
    applied = Applied()  # of a process that has applied nothing: fields are compared
    children = around(found, wanted, applied.must_apply, applied.untouched)
    told = {wait["code"]: wait["message"] for wait in waits_of(found.resource)}
    seen = observed(
        log, found, wanted, children,
        operator=operator,
        platform=Capabilities(may_roll="RollQueued" not in told),
        refused_growth=_refused_growth(found, told.get("ExpansionRefused", "")),
        now_s=now_s,
    )  # fmt: skip
    made = plan(log.log, seen)
    return made._replace(waits=(*made.waits, *foreign_waits(children)))


def remembered(resource: Object) -> tuple[Told, ...]:
    """What the operator waits for because of what it tried."""
    return tuple(
        Told(wait["code"], wait["message"])
        for wait in waits_of(resource)
        if wait["code"] in REMEMBERED
    )


def waits_of(resource: Object) -> list[dict[str, Any]]:
    """The waits of a log's status."""
    return (resource.get("status") or {}).get("waits") or []


def obeyed(said: Iterable[object]) -> TargetStatus | None:
    """The newest target that an operator has set, of what members say; None if there is none."""
    found = [
        answer.target
        for answer in said
        if isinstance(answer, ClusterStatus) and answer.target is not None and answer.target.epoch
    ]
    return max(found, key=lambda target: target.epoch, default=None)


def lease_named(target: TargetStatus | None) -> tuple[str, str] | None:
    """Namespace and name of the lease of the operator that was obeyed last, if any was."""
    if target is None:
        return None
    namespace, slash, name = lease_of(target.holder).partition("/")
    return (namespace, name) if slash else None


def operator_of(target: TargetStatus | None, lease: Object | None) -> Operator:
    """In whose name is planned: of who holds the lease, else of who was obeyed last.

    lease: None where it is not there, or may not be read.
    """
    if target is None:
        return NOBODY
    held = None if lease is None else read(lease)
    if held is None or not held.holder:
        return Operator(target.epoch, target.holder)
    return Operator(held.transitions, f"{lease_of(target.holder)}#{held.holder}")


def doubts(resource: Object, lease: Object | None, now_s: float) -> list[str]:
    """Why what is shown may not happen soon. lease: None where it may not be read."""
    found = []
    status = resource.get("status") or {}
    if status.get("observedGeneration") != resource["metadata"]["generation"]:
        found.append("the operator has not told yet that it has seen the newest spec")
    spec: dict[str, Any] = {} if lease is None else lease.get("spec") or {}
    renewed = spec.get("renewTime")
    if lease is not None and not spec.get("holderIdentity"):
        found.append("nobody holds the operator's lease: no operator acts")
    elif renewed:
        silent_s = now_s - datetime.fromisoformat(renewed).timestamp()
        if silent_s > SILENT_S:
            found.append(f"the operator's lease was renewed {silent_s:.0f} s ago: does it run?")
    return found


def operator_pods(found: Gathered) -> OperatorPods | None:
    """Which pods the operator's are, as the log's NetworkPolicy has them; None if it has none."""
    name = found.resource["metadata"]["name"]
    for policy in found.objects[NETWORK_POLICY]:
        if policy["metadata"]["name"] == name:
            for rule in policy["spec"].get("ingress") or ():
                for peer in rule.get("from") or ():
                    if "namespaceSelector" in peer:
                        return _operator_pods(peer)
    return None


def _operator_pods(peer: Mapping[str, Any]) -> OperatorPods:
    namespaces = peer["namespaceSelector"].get("matchLabels") or {}
    pods = (peer.get("podSelector") or {}).get("matchLabels") or {}
    return OperatorPods(namespaces.get("kubernetes.io/metadata.name", ""), pods)


def _refused_growth(found: Gathered, message: str) -> dict[str, str]:
    """Which claims' growth was refused, by their uids, from the sentence that tells it."""
    told = re.search(r"(\S+) does not grow: (.*)", message)
    if told is None:
        return {}
    return {
        claim["metadata"]["uid"]: told[2]
        for claim in found.objects[CLAIM]
        if claim["metadata"]["name"] == told[1]
    }
