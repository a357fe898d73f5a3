"""The JSON bodies of recovery from a lost majority: fence, survey, and a log forced to go on.

A person decides it, in two looks: first every member that is left is fenced, so that what the
survey says stays true; then one of them goes on alone, in the log's next lineage, and every other
one is acknowledged by name as stopped for good. A member of the former lineage serves nothing from
the moment on in which it hears of the new one.

Decides: field names and their meaning. Must not know: how any of it is carried out.
Read next: schemas.py, docs/api.md.
"""

from typing import Annotated

import msgspec

from replog.wire.limits import MEMBERS_MAX
from replog.wire.schemas import Name


class FenceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/cluster:fence and :unfence on the peer listener.

    operation: who fences; repeated = the same fence. Another operation is refused (`conflict`)
    while one holds it.
    """

    operation: Name


class Survey(msgspec.Struct, frozen=True):
    """What a member has, of its own knowledge (GET /v1/cluster/survey, and the answer to :fence).

    fenced_by: the operation that holds the fence, "" while the member takes part: then all of this
    may change any moment. number: of its lineage. last_term, last_offset, chain: of its last entry,
    readable; chain in hexadecimal. commit_offset: what it knew to be committed. whole: whether all
    of its log can be read (no hole, no unproven end). voters, outgoing: ids of the newest
    configuration in its log; outgoing only while joint.
    """

    member: str
    fenced_by: str
    cluster_id: str
    lineage: str
    number: int
    term: int
    last_term: int
    last_offset: int
    chain: str
    commit_offset: int
    log_start_offset: int
    configuration_offset: int
    whole: bool
    voters: list[str]
    outgoing: list[str]


class ForceMembersRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/cluster:force-members on the peer listener of the one that goes on alone.

    operation: that fenced it, so nothing has moved since its survey. number: of the new lineage,
    one more than the survey's. last_offset, chain: the survey's. stopped: every other voter of its
    configuration, both halves, by id: their processes are stopped, or will serve nothing, for good.
    """

    operation: Name
    number: int
    last_offset: int
    chain: Name
    stopped: Annotated[list[Name], msgspec.Meta(max_length=2 * MEMBERS_MAX)]
