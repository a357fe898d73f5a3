"""How this member is: whether it can serve, what it waits for, how stale its reads may be.

Decides: which facts tell that. Must not know: who asks, how it is shown.
Read next: waits.py, status.py, obstacles.py.
"""

from collections.abc import Mapping
from typing import Final

from replog.wire.schemas import ClusterStatus, Wait
from replog_node.driver.applier import Applier
from replog_node.driver.catchup import CatchUp
from replog_node.driver.fetching import Fetching
from replog_node.driver.kernel import Kernel
from replog_node.driver.obstacles import OVERLOADED, Obstacles, wait_of
from replog_node.driver.repair import Repairs
from replog_node.driver.schedule import Schedule
from replog_node.driver.snapshots import Snapshots
from replog_node.driver.standing import Membership, Standing
from replog_node.driver.status import cluster_status
from replog_node.driver.stuck import Stuck
from replog_node.driver.waits import Facts, Waits
from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import MemberId
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import AppendEntries, Envelope, Heartbeat
from replog_node.raft.state import CoreStatus
from replog_node.state.applied import AppliedState

_OF_LEADER: Final = (AppendEntries, Heartbeat)


class Health:
    """Watches a member; changes nothing of it."""

    def __init__(
        self, kernel: Kernel, membership: Membership, applied: AppliedState, applier: Applier,
        obstacles: Obstacles, limits: CoreLimits, data_dir: str,
        snapshots: Snapshots, fetching: Fetching, repairs: Repairs,
        schedule: Schedule, catch_up: CatchUp,
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._membership = membership
        self._applied = applied
        self._applier = applier
        self._obstacles = obstacles
        self._limits = limits
        self._data_dir = data_dir
        self._snapshots = snapshots
        self._fetching = fetching
        self._schedule = schedule
        self._catch_up = catch_up
        self._stuck = Stuck()
        self._repairs = repairs
        self._waits = Waits()
        self._write_since_s: float | None = None
        self._heard_s: float | None = None

    def hear(self, message: Envelope) -> None:
        """Remember when the leader was heard last: it tells how stale a local read may be."""
        if message.sender == self._kernel.leader and isinstance(message.message, _OF_LEADER):
            self._heard_s = self._kernel.clock.monotonic_s()

    def note_progress(self) -> None:
        """How long the disk takes."""
        if self._kernel.persisted_ticket >= self._kernel.ticket:
            self._write_since_s = None
        elif self._write_since_s is None:
            self._write_since_s = self._kernel.clock.monotonic_s()

    def tick(self, now_s: float) -> None:
        """Look at what is waited for."""
        core = None if self._kernel.core is None else self._kernel.core.status()
        self._stuck.observe(core, now_s)
        self._waits.observe(self._facts(core, now_s), now_s)

    def _facts(self, core: CoreStatus | None, now_s: float) -> Facts:
        return Facts(
            standing=self._membership.standing,
            core=core,
            applied=self._applied.offset,
            committed=self._kernel.committed.offset,
            admitting=None if self._kernel.core is None else self._kernel.core.admitting,
            write_waits_s=0.0 if self._write_since_s is None else now_s - self._write_since_s,
            caught_up=self._catch_up.done,
            unreadable=self._applier.stuck,
            data_dir=self._data_dir,
            stuck=self._stuck.since(now_s),
            diverged=self._snapshots.comparison.diverged,
            fetching=self._fetching.picture,
            holes=self._repairs.holes,
            unfillable=self._repairs.in_vain,
            retention_held=self._schedule.held,
        )

    def waits(self) -> list[Wait]:
        """What this member waits for, worst first."""
        return self._waits.all(self._kernel.clock.monotonic_s())

    def ready(self, what: str) -> str | None:
        """See Driver.ready."""
        if self._membership.standing is not Standing.MEMBER:
            return self._membership.standing.wait
        if not self._catch_up.done:
            return "NotCaughtUp"
        if what == "read":
            return None
        if self._kernel.leader is None:
            return "NoLeader"
        obstacle = self._obstacles.to_append() if self._kernel.leading else None
        configuration = self._kernel.configuration()
        if configuration is not None and not configuration.target_reached:
            return "FirstTargetPending"
        if obstacle is None or obstacle == OVERLOADED:
            return None  # what is too much is refused with that code, and passes in a moment
        return wait_of(obstacle)

    def status(self, version: str, client_addresses: Mapping[MemberId, str]) -> ClusterStatus:
        """What this member knows."""
        core, configuration = self._kernel.core, self._applied.configuration
        return cluster_status(
            self._kernel.member,
            self._kernel.incarnation,
            self._membership,
            None if core is None else core.status(),
            applied=self._applied.offset,
            log_start=self._applied.log_start,
            admitting=self._obstacles.to_append() is None,
            version=version,
            client_addresses=client_addresses,
            feature_level=FIRST_LEVEL if configuration is None else configuration.feature_level,
            spoken_level=self._kernel.spoken_level,
        )

    def staleness_ms(self) -> int:
        """See Driver.staleness_ms.

        A leader may have been replaced for as long as check-quorum lets it lead without an answer.
        """
        if self._kernel.leading:
            return self._limits.election_ticks * self._limits.tick_ms
        if self._kernel.leader is None or self._heard_s is None:
            return -1
        return max(0, int((self._kernel.clock.monotonic_s() - self._heard_s) * 1000))
