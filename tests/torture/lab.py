"""The members under torture: real processes, each with a file system and a link of its own.

There are more places than members, for those that come; a member's place is its address.

Decides: their settings, who is a member, and when all is well again. Must not know: the faults.
Read next: network.py, ../support/processes.py.
"""

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from random import Random
from threading import Lock

from replog.wire.schemas import Appended
from replog_node.model.entries import Entry
from tests.support.processes import Cluster, Node, Refused, ask, eventually
from tests.support.skewed_node import SKEW_FILE
from tests.support.small_filesystems import MIB, SmallFilesystem, small_filesystems
from tests.torture.clients import OCTETS
from tests.torture.journal import Journal
from tests.torture.member import LOSSY
from tests.torture.network import CLIENT_PORT, PEER_PORT, Network

PLACES = 5
VOTERS = 3
SETTINGS = {
    "REPLOG_INSECURE": "yes",
    "REPLOG_SEGMENT_BYTES": str(1 * MIB),
    "REPLOG_SNAPSHOT_BYTES": str(1 * MIB),
    "REPLOG_RETENTION_AGE_MS": str(100 * 365 * 24 * 3600 * 1000),
    "REPLOG_CACHE_BYTES": str(1 * MIB),
    "REPLOG_DISK_SOFT_LIMIT_BYTES": str(6 * MIB),
    "REPLOG_PENDING_BYTES_MAX": str(1 * MIB),
    "REPLOG_GROUP_BYTES_MAX": str(128 * 1024),
    "REPLOG_INFLIGHT_BYTES_MAX": str(256 * 1024),
}
"""Small segments and snapshots, for many of them; small bounds, so that a disk can be full.

Nothing gets as old as the retention's age, but with one a leader says that clocks disagree.
"""

PADDING = 20
"""Records of 64 KiB, which are more than a segment holds."""

PADDINGS = 3
"""So many times at the beginning: finished segments for rot to be in."""

NEVER = frozenset(
    {"failed", "request_failed", "state_diverged", "fenced", "data_unusable", "vote_state_lost"}
)
"""What no member may tell of in its log, whatever is done to it here."""


class Member(Node):
    """A member's process at its place."""

    def __init__(self, number: int, disk: SmallFilesystem, logs: Path, network: Network) -> None:
        super().__init__(disk.path / "data", ("-m", "tests.torture.member"), {})
        self.number = number
        self.disk = disk
        self.client = f"{network.address(number)}:{CLIENT_PORT}"
        self.peer = f"{network.address(number)}:{PEER_PORT}"
        self.prefix = network.inside(number)
        self.log = logs / f"member-{number}.log"
        self.skew = logs / f"member-{number}.skew"
        self.losses = logs / f"member-{number}.lossy.jsonl"
        self.env = {
            **SETTINGS, SKEW_FILE: str(self.skew), "REPLOG_LOSSY_REPORT": str(self.losses),
            "REPLOG_LOSSY_SYNC_MS": "20",
        }  # fmt: skip

    @property
    def name(self) -> str:
        """For people."""
        return f"m{self.number}"

    @property
    def pid(self) -> int:
        """Of its process, which must have been started."""
        if self.process is None:
            raise AssertionError(f"{self.name} was never started")
        return self.process.pid

    def be_lossy(self, lossy: bool) -> None:
        """Whether it has a disk that can lose power, from its next start on."""
        self.env[LOSSY] = "1" if lossy else ""

    def forget_everything(self) -> None:
        """Give the stopped member an empty disk: it will be somebody else."""
        shutil.rmtree(self.directory)

    def waits(self) -> dict[str, str]:
        """What it waits for: code -> evidence."""
        found = ask("GET", self.client, "/v1/why", timeout_s=3)["waits"]
        return {wait["code"]: wait["evidence"] for wait in found}

    def metric(self, name: str) -> float:
        """The sum of a metric's values."""
        text = ask("GET", self.client, "/metrics", timeout_s=3)
        lines = [
            line.split() for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return sum(float(line[-1]) for line in lines)


class Lab(Cluster):
    """All places, and which of them are members."""

    nodes: list[Member]  # type: ignore[assignment]  # a list of something more special

    def __init__(self, disks: Sequence[SmallFilesystem], logs: Path, patience_s: float) -> None:
        """patience_s: so soon after a fault everybody has caught up, and appends are taken."""
        self.patience_s = patience_s
        self.network = Network(len(disks))
        self.nodes = [Member(number, disk, logs, self.network) for number, disk in enumerate(disks)]
        self.cluster_id = str(uuid.uuid4())
        self.journal = Journal()
        self.operations: list[str] = []
        self.members = self.nodes[:VOTERS]
        self.trimmed: list[Entry] = []
        self.slowest_well_s = 0.0
        self._numbers = count()
        self._claimed: set[Member] = set()
        self._lock = Lock()

    def endpoints(self) -> list[str]:  # type: ignore[override]  # of the members there are now
        """Where clients ask."""
        return [member.client for member in self.members]

    def begin(self) -> None:
        """Found the log, with some segments and a snapshot of it on every disk."""
        self.operations.append(self.found(VOTERS))
        for _ in range(PADDINGS):
            self.pad()
        ask("POST", self.leader().peer, "/v1/log:snapshot", {})

    def pad(self) -> None:
        """Append more than a segment holds, in large records."""
        for _ in range(PADDING):
            eventually("a large record is taken", self._append_large)

    def _append_large(self) -> bool:
        attempt = self.journal.begin([b"padding/%d/%s" % (next(self._numbers), b"x" * 64 * 1024)])
        client = self.leads().client
        answer = ask("POST", client, "/v1/records", attempt.values[0], headers=OCTETS)
        self.journal.appended(attempt, Appended(**answer))
        return True

    def start_members(self) -> None:
        """Start those that don't run, and wait until they answer."""
        for member in self.members:
            if not member.alive:
                member.start()
        for member in self.members:
            member.member()

    def change(self, members: list[Member]) -> None:
        """Change the membership to these; those that leave are ended and forget everything."""
        gone = [member for member in self.members if member not in members]
        for member in members:
            if not member.alive:
                member.start()
        self.operations.append(self.retarget(members))
        self.members = list(members)
        for member in gone:
            member.kill()
            member.forget_everything()

    def leads(self) -> Member:
        """The leader."""
        return self.nodes[[node.peer for node in self.nodes].index(self.leader().peer)]

    def complaints(self) -> list[str]:
        """What each member waits for, or that it doesn't answer, in sentences."""
        found = []
        for member in self.members:
            try:
                said = f"waits for {member.waits()}"
            except (OSError, Refused) as problem:
                said = f"gives no answer: {problem}"
            found.append(f"{member.name} {said}")
        return found

    def alarms(self) -> list[str]:
        """Lines of the members' logs that must not be there."""
        return [
            f"{node.name} says: {line[:500]}"
            for node in self.nodes
            for line in node.said().splitlines()
            if line.startswith("Traceback") or NEVER.intersection(line.split()[1:3])
        ]

    @contextmanager
    def victim(self, random: Random, *, leader: bool | None = None) -> Iterator[Member]:
        """A member that nobody else tortures: the leader, a follower, or by chance either."""
        wanted = random.random() < 0.5 if leader is None else leader
        led = self.leads()
        with self._lock:
            free = [member for member in self.members if member not in self._claimed]
            fitting = [member for member in free if (member is led) is wanted]
            chosen = random.choice(fitting or free)
            self._claimed.add(chosen)
        try:
            yield chosen
        finally:
            with self._lock:
                self._claimed.discard(chosen)

    def wait_for(self, member: Member) -> None:
        """Wait until a member has what is acknowledged by now."""
        newest = self.journal.newest

        def caught_up() -> bool:
            return bool(member.status()["applied_offset"] >= newest)

        eventually(f"{member.name} catches up with {newest}", caught_up, self.patience_s)

    def all_well(self) -> None:
        """Wait until everybody has caught up and new appends are acknowledged."""
        began_s = time.monotonic()
        for member in self.members:
            self.wait_for(member)
        wanted = self.journal.acknowledged + 10

        def taken() -> bool:
            return self.journal.acknowledged >= wanted

        eventually("appends are acknowledged", taken, self.patience_s)
        self.slowest_well_s = max(self.slowest_well_s, time.monotonic() - began_s)


@contextmanager
def lab(folder: Path, minutes: float, patience_s: float) -> Iterator[Lab]:
    """A lab whose members end with the block."""
    size = int((96 + 64 * minutes) * MIB)
    logs = folder / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        disks = stack.enter_context(small_filesystems(folder, PLACES, size))
        made = Lab(disks, logs, patience_s)
        stack.callback(made.close)
        yield made


def responds(member: Member, within_s: float) -> bool:
    """Whether it answers at once."""
    try:
        ask("GET", member.peer, "/v1/cluster", timeout_s=within_s)
    except (OSError, Refused):
        return False
    return True


def process_state(pid: int) -> str:
    """What the system says that the process does: S, R, T (stopped), …"""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]
