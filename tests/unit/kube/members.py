"""What members say of themselves, as tests of the operator want it.

Decides: the values that no test is about. Must not know: what is tested.
Read next: test_tolerance.py.
"""

from collections.abc import Sequence
from typing import Any

from replog.wire.schemas import ClusterStatus, MayStop, MemberStatus

COMMIT = 100
CLUSTER = "0f1e2d3c-0000-4000-8000-00000000abcd"


def member(
    name: str, *, role: str = "voter", match: int | None = COMMIT, alive: bool | None = True
) -> MemberStatus:
    """A member as its leader sees it."""
    return MemberStatus(id=name, address=f"{name}:7411", role=role, match_offset=match, alive=alive)


def leader_of(members: Sequence[MemberStatus], **changes: Any) -> ClusterStatus:
    """What the leader says of these members; it is the first of them."""
    first = members[0].id
    said: dict[str, Any] = {
        "member": first, "incarnation": 1, "state": "member", "cluster_id": CLUSTER,
        "lineage": "1.9f2c", "role": "leader", "term": 4, "leader": first,
        "leader_client_address": f"{first}:7401", "commit_offset": COMMIT,
        "applied_offset": COMMIT, "durable_offset": COMMIT, "last_offset": COMMIT,
        "log_start_offset": 0, "configuration_offset": 7, "joint": False,
        "members": list(members), "target": None, "admitting": True, "version": "1.0.0",
        "feature_level": 1,
    }  # fmt: skip
    return ClusterStatus(**(said | changes))


def may_stop(name: str, *, yes: bool = True, caught_up: bool = True) -> MayStop:
    """The leader's answer about stopping a member."""
    return MayStop(
        member=name,
        may_stop=yes,
        reasons=[] if yes else [f"without {name} no quorum is left"],
        caught_up=caught_up,
        behind=0 if caught_up else 50,
        role="voter",
        leads=False,
    )
