"""How a member comes to its cluster: it founds one when told to, or is adopted by one.

Founding makes a one-member cluster (design section 3, Bootstrap): the assignment is made durable
with the operation's name, then the log's first entry, then the core starts. A crash between is
finished at the next start. Adoption makes the assignment durable before anybody is answered.

Decides: when the core starts and with what. Must not know: who asked (adapters/hello.py, admin).
Read next: standing.py, ../storage/identity.py.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from replog.wire.problems import ApiError
from replog.wire.schemas import BootstrapRequest, Done
from replog_node.driver.answers import Reply
from replog_node.driver.kernel import FOUNDING_TICKET, Kernel
from replog_node.driver.standing import Membership, Standing
from replog_node.frames.build import build_entry
from replog_node.frames.chain import seed
from replog_node.frames.decode import tail_of
from replog_node.model.configuration import Configuration, Member
from replog_node.model.controls import ConfigurationChanged, LogCreated
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ORIGIN, ClusterId, Lineage, Offset, Term
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState, LogBounds, Started
from replog_node.storage.store import Recovered

FOUNDING_TERM: Final = Term(1)
FOUNDING_LINEAGE: Final = 1
CONFIGURATION_OFFSET: Final = Offset(1)
"""The founding entry holds two records: LogCreated, then the configuration."""

CALLERS_MAX: Final = 64
"""Who wait for an assignment to be durable; past it a caller is refused and may ask again."""


class Founding:
    """The way from an empty directory to a running core."""

    def __init__(
        self, kernel: Kernel, membership: Membership, recovered: Recovered, address: str,
        new_lineage_id: Callable[[], str],
    ) -> None:  # fmt: skip
        """address: of this member's peer listener, as others reach it."""
        self._kernel = kernel
        self._membership = membership
        self._recovered = recovered
        self._address = address
        self._new_lineage_id = new_lineage_id
        self._operation = recovered.founding
        self._founder: Entry | None = None
        self._pending: tuple[ClusterId, Lineage] | None = None
        self._bootstraps: list[tuple[BootstrapRequest, Reply[Done]]] = []
        self._adoptions: list[Callable[[bool], None]] = []

    def begin(self, log: LogBounds | None = None) -> None:
        """Start the core on what the disk holds, or finish a founding that a crash cut short.

        log: what it holds now, if that has changed since it was recovered.
        """
        found = self._recovered
        if log is not None:
            found = self._recovered = replace(found, log=log)
        if found.cluster_id is None:
            return
        if found.log.tail.position == ORIGIN and found.founding:
            self._write_first_entry(found.cluster_id, _of(found.lineage))
        else:
            self._start(found.hard_state, found.log)

    def bootstrap(self, request: BootstrapRequest, reply: Reply[Done]) -> None:
        """Found the cluster, or say that it was founded by this very call before."""
        if not request.operation:
            reply(ApiError("body_invalid", "a founding needs an operation id"))
            return
        if self._membership.cluster_id is not None or self._pending is not None:
            self._repeat(request, reply)
            return
        lineage = Lineage(FOUNDING_LINEAGE, self._new_lineage_id())
        self._operation = request.operation
        self._pending = (ClusterId(request.cluster_id), lineage)
        self._bootstraps.append((request, reply))
        self._kernel.storage.assign(*self._pending, request.operation)

    def _repeat(self, request: BootstrapRequest, reply: Reply[Done]) -> None:
        held = self._pending[0] if self._pending is not None else self._membership.cluster_id
        if (held, self._operation) != (request.cluster_id, request.operation):
            reply(ApiError("already_bootstrapped", f"this member belongs to cluster {held}"))
        elif self._pending is None:
            reply(Done(done=True, detail="founded before", offset=CONFIGURATION_OFFSET))
        elif len(self._bootstraps) >= CALLERS_MAX:
            reply(ApiError("overloaded", "too many wait for the founding"))
        else:
            self._bootstraps.append((request, reply))

    def adopt(self, cluster_id: ClusterId, lineage: Lineage, reply: Callable[[bool], None]) -> None:
        """Join a cluster that addressed this member by its own UUID; reply once that is durable.

        False: it belongs, or is about to belong, to another one; or too many wait for it.
        """
        if self._membership.cluster_id is not None:
            reply((self._membership.cluster_id, self._membership.lineage) == (cluster_id, lineage))
        elif self._pending is None:
            self._pending = (cluster_id, lineage)
            self._adoptions.append(reply)
            self._kernel.storage.assign(cluster_id, lineage, "")
        elif self._pending == (cluster_id, lineage) and len(self._adoptions) < CALLERS_MAX:
            self._adoptions.append(reply)
        else:
            reply(False)

    def assigned(self) -> None:
        """The assignment is durable."""
        if self._pending is None:
            return
        cluster_id, lineage = self._pending
        if self._operation:
            self._write_first_entry(cluster_id, lineage)
            return
        empty = Tail(ORIGIN, seed(cluster_id), 0)
        self._belong(cluster_id, lineage)
        self._start(self._recovered.hard_state, LogBounds(empty))

    def _write_first_entry(self, cluster_id: ClusterId, lineage: Lineage) -> None:
        me = Member(self._kernel.member, self._address)
        first = Configuration(voters=(me,))
        controls = (
            LogCreated(cluster_id, lineage),
            ConfigurationChanged("found", self._operation, first),
        )
        now_ms = self._kernel.clock.wall_ms()
        entry = build_entry(
            Payload(controls), FOUNDING_TERM, Tail(ORIGIN, seed(cluster_id), 0), now_ms
        )
        self._pending = (cluster_id, lineage)
        self._founder = entry
        state = HardState(FOUNDING_TERM, self._kernel.member)
        self._kernel.storage.write(Persist(FOUNDING_TICKET, state, None, (entry,)))

    def first_entry_persisted(self) -> None:
        """The log exists: start leading it."""
        entry = self._founder
        if entry is None or entry.configuration is None or self._pending is None:
            return
        self._belong(*self._pending)
        bounds = LogBounds(
            tail_of(entry),
            ((FOUNDING_TERM, Offset(0)),),
            ((CONFIGURATION_OFFSET, entry.configuration),),
        )
        self._start(HardState(FOUNDING_TERM, self._kernel.member), bounds)
        for _, reply in self._bootstraps:
            reply(Done(done=True, detail="founded", offset=CONFIGURATION_OFFSET))
        self._bootstraps.clear()

    def _belong(self, cluster_id: ClusterId, lineage: Lineage) -> None:
        self._pending = None
        self._membership.cluster_id, self._membership.lineage = cluster_id, lineage
        if self._membership.standing is Standing.UNASSIGNED:
            self._membership.standing = Standing.MEMBER

    def _start(self, hard_state: HardState, log: LogBounds) -> None:
        if self._membership.standing is Standing.MEMBER:
            self._kernel.start(
                Started(self._kernel.member, self._kernel.incarnation, hard_state, log)
            )
        adoptions, self._adoptions = self._adoptions, []
        for reply in adoptions:
            reply(True)

    def close(self, refusal: ApiError) -> None:
        """The member stops: a founding goes on at the next start."""
        for _, reply in self._bootstraps:
            reply(refusal)
        for adopted in self._adoptions:
            adopted(False)
        self._bootstraps.clear()
        self._adoptions.clear()


def _of(lineage: Lineage | None) -> Lineage:
    if lineage is None:
        raise ValueError("a cluster without a lineage")
    return lineage
