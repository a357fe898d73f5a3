"""Who acts: a Lease that one process holds and renews, decided from what was seen of it.

A lease is judged by this process's own clock alone: it counts how long it has seen no renewal, and
never compares times that another machine wrote. `leaseTransitions` grows by one at every
acquisition, also by the same process, so that the number tells one holding from every other.

Decides: when a lease may be taken, must be renewed, is lost; how long each holds.
Must not know: how it is read and written (election.py).
Read next: election.py, fence.py.
"""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from replog_operator.kube.children.wanted import Object

API_VERSION: Final = "coordination.k8s.io/v1"
TRANSITIONS_MAX: Final = 2**31 - 1
"""Of an int32. At one acquisition a second it is reached after 68 years."""


class Timing(NamedTuple):
    """duration_s: others wait so long without a renewal before they take it.

    write_s: after a renewal was sent, writes are sent for so long; every_s: between two renewals;
    request_s: a request about the lease. write_s + the longest write ≤ duration_s, so that what a
    holder sent last has ended before another acts.
    """

    duration_s: float = 15.0
    write_s: float = 10.0
    every_s: float = 2.0
    request_s: float = 3.0


class Lease(NamedTuple):
    """A lease as an API server has it. holder: empty if it was released. version: to write it."""

    holder: str
    transitions: int
    renewed: str
    duration_s: float
    version: str


class Seen(NamedTuple):
    """lease: None if there is none. since_s: since when it looks like this, of our clock."""

    lease: Lease | None
    since_s: float


class Take(NamedTuple):
    """Acquire it with this many transitions. version: None makes a new one."""

    transitions: int
    version: str | None


class Renew(NamedTuple):
    """Renew what is held. transitions: more than before if a log has seen a higher number."""

    transitions: int
    version: str


class Wait(NamedTuple):
    """Another holds it; it may be taken at until_s of our clock if it isn't renewed."""

    until_s: float


def seen(before: Seen | None, lease: Lease | None, now_s: float) -> Seen:
    """What is known after a look. Only a renewal or another holder begins a new wait."""
    if before is not None and _looks(before.lease) == _looks(lease):
        return Seen(lease, before.since_s)
    return Seen(lease, now_s)


def decide(me: str, found: Seen, now_s: float, *, above: int = 0) -> Take | Renew | Wait:
    """What to do about the lease. above: a number that a log has seen; ours must be higher."""
    lease = found.lease
    if lease is None:
        return Take(_next(0, above), None)
    if lease.holder == me:
        needed = lease.transitions if lease.transitions > above else _next(0, above)
        return Renew(needed, lease.version)
    expires_s = found.since_s + lease.duration_s
    if lease.holder and now_s < expires_s:
        return Wait(expires_s)
    return Take(_next(lease.transitions, above), lease.version)


def read(found: Object) -> Lease:
    """A Lease object. One without times was never held, and holds nobody up."""
    spec = found.get("spec", {})
    return Lease(
        holder=spec.get("holderIdentity") or "",
        transitions=spec.get("leaseTransitions") or 0,
        renewed=spec.get("renewTime") or "",
        duration_s=float(spec.get("leaseDurationSeconds") or 0),
        version=found["metadata"]["resourceVersion"],
    )


def written(
    name: tuple[str, str], holder: str, transitions: int, timing: Timing, now: datetime,
    version: str | None,
) -> Object:  # fmt: skip
    """The object to write; name: namespace, name. The times are for people only."""
    metadata: dict[str, Any] = {"namespace": name[0], "name": name[1]}
    if version is not None:
        metadata["resourceVersion"] = version
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": API_VERSION,
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(timing.duration_s),
            "leaseTransitions": transitions,
            "renewTime": at,
        },
    }


def _next(held: int, above: int) -> int:
    """One more than both; it stays at the greatest that the API can hold."""
    return min(max(held, above) + 1, TRANSITIONS_MAX)


def _looks(lease: Lease | None) -> tuple[str, int, str] | None:
    return None if lease is None else (lease.holder, lease.transitions, lease.renewed)
