"""What an operator of a node may set: one frozen value from flags, environment and file.

Decides: names, units, defaults, reasons and ranges of all settings; precedence flag > environment
(REPLOG_*) > file (--config, YAML) > default; all faults are told at once.
Must not know: what the parts do with their settings.
Read next: docs/settings.md (checked against this file), settings_sources.py (where they come from).
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from replog_node.settings_sources import Given, SettingsFaults, flag_of, gather

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB


def _setting(default: Any, unit: str, why: str, *, least: int = 0, most: int = 0) -> Any:
    """A field with its unit, the reason for its default and, for numbers, its range."""
    meta = {"unit": unit, "why": why, "least": least, "most": most}
    if isinstance(default, tuple):
        return field(default_factory=tuple, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of one node. Read each field's unit and reason beside it."""

    data_dir: str = _setting("", "path", "required: everything durable lies here, one node each")
    client_address: str = _setting(
        "127.0.0.1:7401", "host:port", "loopback is safe without tokens; reads and writes"
    )
    peer_address: str = _setting(
        "127.0.0.1:7411", "host:port", "apart from clients, so that members can be walled off"
    )
    advertise_client_address: str = _setting(
        "", "host:port", "what others are told; empty: client_address"
    )
    advertise_peer_address: str = _setting(
        "", "host:port", "what others are told; empty: peer_address"
    )
    seed_peers: tuple[str, ...] = _setting(
        (), "host:port list", "where to look for members when the known addresses don't answer"
    )
    tick_ms: int = _setting(
        50, "ms", "the core's clock; finer costs wakeups and wins nothing", least=5, most=1000
    )
    election_timeout_ms: int = _setting(
        1000, "ms", "ten round trips and a slow fsync must fit; drawn up to twice this",
        least=50, most=60_000,
    )  # fmt: skip
    heartbeat_ms: int = _setting(
        200, "ms", "five may be lost before anybody campaigns", least=5, most=10_000
    )
    segment_bytes: int = _setting(
        64 * MIB, "bytes", "preallocated; large enough that a new file is rare",
        least=1 * MIB, most=1024 * MIB,
    )  # fmt: skip
    disk_soft_limit_bytes: int = _setting(
        256 * MIB, "bytes", "less free space, and data is refused with 507 while trims still work; "
        "what is under way, a spare segment and a snapshot fit", least=0, most=1024 * GIB,
    )  # fmt: skip
    snapshot_bytes: int = _setting(
        64 * MIB, "bytes", "log between two snapshots; a start folds about so much",
        least=64 * 1024, most=16 * 1024 * MIB,
    )  # fmt: skip
    snapshots_between: int = _setting(
        4, "snapshots", "kept between the oldest that is needed and the newest, for later trims",
        least=0, most=1000,
    )  # fmt: skip
    retention_bytes: int = _setting(
        0, "bytes", "log kept at least; more is trimmed in whole segments; 0: all is kept",
        least=0, most=2**60,
    )  # fmt: skip
    retention_age_ms: int = _setting(
        0, "ms", "log time for which a segment is kept after its last record, and longer while the "
        "voters' clocks disagree; 0: for ever",
        least=0, most=2**53,
    )  # fmt: skip
    scrub_bytes_per_s: int = _setting(
        2 * MIB, "bytes/s", "how fast all that is stored is read again, to find rot; 0: never",
        least=0, most=1024 * MIB,
    )  # fmt: skip
    cache_bytes: int = _setting(
        64 * MIB, "bytes", "recent entries in memory: followers seconds behind need no disk",
        least=1 * MIB, most=16 * 1024 * MIB,
    )  # fmt: skip
    flight_bytes: int = _setting(
        16 * MIB, "bytes", "what the core did lately, for replog debug; minutes of a calm log; "
        "0: nothing is kept", least=0, most=32 * MIB,
    )  # fmt: skip
    group_bytes_max: int = _setting(
        1 * MIB, "bytes", "what waits together is one entry up to this: one message, one fsync",
        least=4 * KIB, most=16 * MIB,
    )  # fmt: skip
    inflight_bytes_max: int = _setting(
        8 * MIB, "bytes", "sent to a follower and not answered; past it the follower is paused",
        least=64 * KIB, most=256 * MIB,
    )  # fmt: skip
    inflight_groups_max: int = _setting(
        64, "messages", "as inflight_bytes_max, by count", least=1, most=4096
    )
    pending_bytes_max: int = _setting(
        64 * MIB, "bytes", "appends that the leader has taken and not committed; past it 429",
        least=1 * MIB, most=4 * 1024 * MIB,
    )  # fmt: skip
    requests_max: int = _setting(
        2048, "requests", "served at once on a listener; past it 429", least=1, most=1_000_000
    )
    requests_bytes_max: int = _setting(
        128 * MIB, "bytes", "request bodies held at once on a listener; past it 429",
        least=1 * MIB, most=16 * 1024 * MIB,
    )  # fmt: skip
    connections_max: int = _setting(
        8192, "connections", "open at once on a listener; past it 429 and the connection ends",
        least=16, most=1_000_000,
    )  # fmt: skip
    waiting_max: int = _setting(
        4096, "requests", "reads that wait for records (wait_ms); past it 429",
        least=0, most=1_000_000,
    )  # fmt: skip
    sessions_max: int = _setting(
        32, "sessions", "append sessions open at once, each may send body_bytes_max; past it 429",
        least=0, most=1_000_000,
    )  # fmt: skip
    body_bytes_max: int = _setting(
        4 * MIB, "bytes", "one request body; past it 413", least=1 * KIB, most=64 * MIB
    )
    body_timeout_ms: int = _setting(
        10_000, "ms", "for a connection's first head, and from head to end of a body; past it 408",
        least=10, most=600_000,
    )  # fmt: skip
    response_timeout_ms: int = _setting(
        30_000, "ms", "for an answer to leave; a reader that is slower loses the connection",
        least=10, most=600_000,
    )  # fmt: skip
    request_timeout_ms: int = _setting(
        10_000, "ms", "a call without Replog-Timeout-Ms; several elections fit", least=1,
        most=600_000,
    )  # fmt: skip
    lineage_file: str = _setting(
        "",
        "path",
        "the number of the lineage in force, looked at each second; a member of an "
        "older one is fenced. Empty: only other members tell of it",
    )
    token_file: str = _setting("", "path", "who may do what (docs/api.md, Permissions)")
    insecure: bool = _setting(
        False, "yes or no", "an open listener beyond loopback must be asked for by name"
    )
    log_format: str = _setting("plain", "json or plain", "plain for people; json for collectors")
    log_level: str = _setting(
        "info", "debug, info, warning or error", "info tells each change of role and membership"
    )
    shutdown_grace_ms: int = _setting(
        10_000, "ms", "to hand over and drain at SIGTERM; Kubernetes waits 30 s by default",
        least=0, most=600_000,
    )  # fmt: skip

    @property
    def client_endpoint(self) -> str:
        """host:port at which others reach the client listener."""
        return self.advertise_client_address or self.client_address

    @property
    def peer_endpoint(self) -> str:
        """host:port at which others reach the peer listener."""
        return self.advertise_peer_address or self.peer_address

    @property
    def election_ticks(self) -> int:
        """election_timeout_ms in ticks."""
        return self.election_timeout_ms // self.tick_ms

    @property
    def heartbeat_ticks(self) -> int:
        """heartbeat_ms in ticks."""
        return self.heartbeat_ms // self.tick_ms


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "log_format": ("plain", "json"),
    "log_level": ("debug", "info", "warning", "error"),
}
_OPTIONAL_ADDRESSES: Final = ("advertise_client_address", "advertise_peer_address")


def load(argv: Sequence[str], env: Mapping[str, str]) -> Settings:
    """Make the settings from the arguments (without the program's name) and the environment.

    Raises SettingsFaults with every fault: unknown names, wrong values, wrong combinations.
    """
    types = {item.name: type(getattr(Settings(), item.name)) for item in fields(Settings)}
    given = gather(argv, env, types)
    settings = Settings(**given.values)
    faults = [*given.faults, *_faults(settings, given)]
    if faults:
        raise SettingsFaults(faults)
    return settings


def usage() -> str:
    """The text of --help: each flag with its default and reason."""
    lines = ["usage: python -m replog_node --data-dir PATH [flags]", ""]
    for item in fields(Settings):
        default = _shown(getattr(Settings(), item.name))
        lines.append(f"  {flag_of(item.name)}  ({item.metadata['unit']}; default {default})")
        lines.append(f"      {item.metadata['why']}")
    lines += ["  --config  (path)", "      a YAML file with the same names, written with _"]
    return "\n".join(lines)


def _shown(default: object) -> str:
    """A default as documents show it."""
    if default is True or default is False:
        return "yes" if default else "no"
    return str(default) if isinstance(default, int) or default else "none"


def _faults(settings: Settings, given: Given) -> Iterator[str]:
    """Every fault of values and combinations, with the source of each value that is wrong."""
    for name, fault in _value_faults(settings):
        if name not in given.faulty:
            yield f"{given.origin(name)}: {fault}"
    yield from _timing_faults(settings)
    yield from _size_faults(settings)
    yield from _exposure_faults(settings)


def _value_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Faults of single values: (name, sentence)."""
    if not settings.data_dir:
        yield "data_dir", "a data directory is required"
    for item in fields(Settings):
        value, least, most = getattr(settings, item.name), *_range(item.metadata)
        if type(value) is int and not least <= value <= most:
            yield item.name, f"{value} is not within {least}…{most} {item.metadata['unit']}"
    for name, choices in _CHOICES.items():
        if getattr(settings, name) not in choices:
            yield name, f"{getattr(settings, name)!r} is none of {', '.join(choices)}"
    for name, address in _addresses(settings):
        if split_address(address) is None:
            yield name, f"{address!r} is not host:port with a port of 1…65535"


def _range(meta: Mapping[str, Any]) -> tuple[int, int]:
    return meta["least"], meta["most"]


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "client_address", settings.client_address
    yield "peer_address", settings.peer_address
    for name in _OPTIONAL_ADDRESSES:
        if getattr(settings, name):
            yield name, getattr(settings, name)
    for peer in settings.seed_peers:
        yield "seed_peers", peer


def _timing_faults(settings: Settings) -> Iterator[str]:
    """A leader must be able to lose heartbeats without being voted out."""
    if settings.election_timeout_ms < 3 * settings.heartbeat_ms:
        yield "election_timeout_ms must be at least three times heartbeat_ms"
    for name in ("election_timeout_ms", "heartbeat_ms"):
        if settings.tick_ms > 0 and getattr(settings, name) % settings.tick_ms:
            yield f"{name} must be a multiple of tick_ms ({settings.tick_ms})"


def _size_faults(settings: Settings) -> Iterator[str]:
    """What one bound lets in, the next one must be able to hold."""
    if settings.requests_bytes_max < settings.body_bytes_max:
        yield "requests_bytes_max must be at least body_bytes_max"
    if settings.segment_bytes < 2 * settings.group_bytes_max:
        yield "segment_bytes must be at least twice group_bytes_max"
    if settings.inflight_bytes_max < settings.group_bytes_max:
        yield "inflight_bytes_max must be at least group_bytes_max"


def _exposure_faults(settings: Settings) -> Iterator[str]:
    """Nobody opens a log to the world, or tells others an address that leads nowhere, unasked."""
    for name in ("client_address", "peer_address"):
        address = split_address(getattr(settings, name))
        if address is None:
            continue
        if not (is_loopback(address[0]) or settings.token_file or settings.insecure):
            yield f"{name}: {address[0]} is not loopback: give token_file, or insecure"
        if _is_wildcard(address[0]) and not getattr(settings, f"advertise_{name}"):
            yield f"{name}: {address[0]} is no address to reach: give advertise_{name}"
    if settings.token_file and settings.insecure:
        yield "token_file and insecure exclude each other"


def split_address(address: str) -> tuple[str, int] | None:
    """(host, port) of host:port or [v6]:port; None if it is neither."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        return None
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener at `host`; of names, only `localhost` counts."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
