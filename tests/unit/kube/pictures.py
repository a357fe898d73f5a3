"""Pictures of the log `orders`, well unless a test says otherwise.

Decides: the values that no test is about. Must not know: what is tested.
Read next: test_status.py.
"""

from typing import Any

from replog_operator.kube.picture import MemberRow, Picture
from tests.unit.kube.members import CLUSTER


def row(ordinal: int, **changes: Any) -> MemberRow:
    """The member of an ordinal; the one of 0 leads."""
    found = MemberRow(
        id=f"member-{ordinal}",
        role="voter",
        ordinal=ordinal,
        pod=f"orders-{ordinal}",
        leads=ordinal == 0,
        ready=True,
        caught_up=True,
        version="1.0.0",
        state="ready",
    )
    return found._replace(**changes)


def picture(**changes: Any) -> Picture:
    """Three members that are well, and nothing to do."""
    found = Picture(
        name="orders",
        namespace="shop",
        generation=4,
        wanted=3,
        pods=3,
        ready=3,
        image="replicated-log:1.0",
        retention="Retain",
        storage_bytes=10 * 1024**3,
        cluster_id=CLUSTER,
        lineage="1.9f2c",
        members=tuple(row(ordinal) for ordinal in range(3)),
        admitting=True,
        reached=True,
        updated=True,
        not_updated=("", ""),
        tolerates=1,
        operation=None,
        waits=(),
        suspended=False,
        hibernating=False,
    )
    return found._replace(**changes)
