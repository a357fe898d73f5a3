"""GET /v1/cluster: this member's own knowledge as one value.

Decides: which fact goes where. Must not know: where the facts come from.
Read next: ../../replog/wire/schemas.py (ClusterStatus).
"""

from collections.abc import Mapping

from replog.wire.schemas import ClusterStatus, MemberStatus, TargetStatus
from replog_node.driver.standing import Membership
from replog_node.model.configuration import Configuration, Member
from replog_node.model.positions import MemberId, Offset
from replog_node.raft.messages import Incarnation
from replog_node.raft.state import CoreStatus


def cluster_status(
    member: MemberId,
    incarnation: Incarnation,
    membership: Membership,
    core: CoreStatus | None,
    *,
    applied: Offset,
    log_start: Offset,
    admitting: bool,
    version: str,
    client_addresses: Mapping[MemberId, str],
    feature_level: int,
    spoken_level: int,
) -> ClusterStatus:
    """Return the member's status. Pure."""
    leader = None if core is None else core.leader
    configuration = None if core is None else core.configuration
    return ClusterStatus(
        member=member,
        incarnation=incarnation.number,
        state=membership.standing.value,
        cluster_id=membership.cluster_id,
        lineage=None if membership.lineage is None else str(membership.lineage),
        role="follower" if core is None else core.role,
        term=0 if core is None else core.term,
        leader=leader,
        leader_client_address=None if leader is None else client_addresses.get(leader),
        commit_offset=-1 if core is None else core.commit.offset,
        applied_offset=applied,
        durable_offset=-1 if core is None else core.durable.offset,
        last_offset=-1 if core is None else core.last.offset,
        log_start_offset=log_start,
        configuration_offset=-1 if core is None else core.configuration_offset,
        joint=configuration is not None and configuration.joint,
        members=_members(member, core, configuration, client_addresses),
        target=_target(configuration),
        admitting=admitting,
        version=version,
        feature_level=feature_level,
        feature_level_spoken=spoken_level,
    )


def _members(
    me: MemberId,
    core: CoreStatus | None,
    configuration: Configuration | None,
    client_addresses: Mapping[MemberId, str],
) -> list[MemberStatus]:
    if core is None or configuration is None:
        return []
    return [
        _member(me, core, configuration, m, client_addresses.get(m.id))
        for m in configuration.members
    ]


def _member(
    me: MemberId, core: CoreStatus, configuration: Configuration, member: Member,
    client_address: str | None,
) -> MemberStatus:  # fmt: skip
    id_, match, alive = member.id, None, None
    if core.role == "leader" and id_ == me:
        match, alive = int(core.durable.offset), True
    elif core.role == "leader" and id_ in core.progress:
        match, alive = int(core.progress[id_].match.offset), core.progress[id_].alive
    return MemberStatus(
        id=id_, address=member.address, role=role_of(configuration, id_), match_offset=match,
        alive=alive, client_address=client_address, priority=member.priority,
        feature_level_spoken=core.spoken.get(id_),
    )  # fmt: skip


def role_of(configuration: Configuration, id_: MemberId) -> str:
    """A member's part in a configuration, in the words of MemberStatus."""
    if id_ in configuration.voter_ids():
        return "voter"
    return "outgoing" if id_ in configuration.outgoing_ids() else "learner"


def _target(configuration: Configuration | None) -> TargetStatus | None:
    if configuration is None or configuration.target is None:
        return None
    target = configuration.target
    ids = sorted(m.id for m in target.members)
    reached = not configuration.joint and ids == list(configuration.voter_ids())
    return TargetStatus(
        members=list(ids),
        operation=target.operation,
        reached=reached,
        epoch=target.epoch,
        holder=target.holder,
    )
