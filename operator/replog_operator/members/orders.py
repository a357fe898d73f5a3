"""Everything that members can be told: one method a deed, none repeated.

A founding names its operation, and a member that belongs to a cluster refuses another one. So do
the deeds of a recovery, which is for a log without a leader: nobody is there to refuse an older
operator, but a member is forced only from where it was surveyed, by the operation that fenced it.
All else names the operator's epoch, so that the log refuses who was deposed; a target also what it
was planned from (the configuration offset): of a plan that is not true any more it changes nothing,
and says `superseded`.

Decides: which precondition goes with which deed. Must not know: when a deed is due (the planner).
Read next: nodes.py, outcomes.py.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from replog.client import ApiError, Unavailable
from replog.wire.recovery import FenceRequest, ForceMembersRequest
from replog.wire.schemas import (
    AskedBy,
    BootstrapRequest,
    LevelRequest,
    MemberAddress,
    SnapshotRequest,
    TargetRequest,
    TransferRequest,
)
from replog_operator.members.nodes import TELL_S, Nodes
from replog_operator.members.outcomes import DONE, Outcome, of_member
from replog_operator.model.observed import Operator
from replog_operator.model.steps import ForceMembers

TRANSFER_S: Final = 15.0
"""A transfer is answered when another member leads: several elections fit."""


class Orders:
    """To the members behind these nodes. ip: of a member, as Nodes takes it."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    async def bootstrap(self, ip: str, cluster_id: str, operation: str) -> Outcome:
        """Found the cluster at this member; the same again is the same cluster."""
        return await self._tell(ip, "cluster:bootstrap", BootstrapRequest(cluster_id, operation))

    async def set_target(
        self, ip: str, members: Sequence[MemberAddress], operation: str, planned_from: int,
        operator: Operator,
    ) -> Outcome:  # fmt: skip
        """Say which members there should be; the cluster takes itself there."""
        request = TargetRequest(
            list(members), operation, planned_from, operator.epoch, operator.holder
        )
        return await self._tell(ip, "cluster:target", request)

    async def transfer(self, ip: str, to: str | None, operator: Operator) -> Outcome:
        """Have another member lead; to: None is the best one."""
        request = TransferRequest(to, _asked_by(operator))
        return await self._tell(ip, "cluster:transfer", request, TRANSFER_S)

    async def raise_level(self, ip: str, level: int, operator: Operator) -> Outcome:
        """Have the log use what every member's build speaks."""
        request = LevelRequest(level, _asked_by(operator))
        return await self._tell(ip, "cluster:raise-feature-level", request)

    async def take_snapshot(self, ip: str, operator: Operator) -> Outcome:
        """Have every member build a snapshot."""
        return await self._tell(ip, "log:snapshot", SnapshotRequest(_asked_by(operator)))

    async def fence(self, ip: str, operation: str) -> Outcome:
        """Have the member take part in nothing; the same again is the same fence."""
        return await self._tell(ip, "cluster:fence", FenceRequest(operation))

    async def unfence(self, ip: str, operation: str) -> Outcome:
        """Let the member take part again, if it is this operation that fenced it."""
        return await self._tell(ip, "cluster:unfence", FenceRequest(operation))

    async def force_members(self, ip: str, step: ForceMembers) -> Outcome:
        """Have a fenced member go on alone, if it still is as it was surveyed."""
        request = ForceMembersRequest(
            step.operation, step.number, step.last_offset, step.chain, list(step.stopped)
        )
        return await self._tell(ip, "cluster:force-members", request)

    async def _tell(
        self, ip: str, verb: str, request: msgspec.Struct, timeout_s: float = TELL_S
    ) -> Outcome:
        try:
            done = await self._nodes.tell(ip, f"/v1/{verb}", request, timeout_s)
        except (ApiError, Unavailable) as problem:
            return of_member(problem)
        return DONE._replace(message=done.detail)


def _asked_by(operator: Operator) -> AskedBy:
    return AskedBy(operator.epoch, operator.holder)
