"""NATS JetStream with three replicas: syncing always (as we do), and at its default (2 minutes).

Decides: how it is started and called. Must not know: the others. Read next: kafka.py.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import peers
from tests.bench.plan import SIZE, Plan
from tests.bench.processes import output, running
from tests.bench.report import Result
from tests.support.processes import eventually, free_ports

_RATE = re.compile(r"stats: ([\d,]+) msgs/sec")
_KINDS = (
    ("sync", "synchronous publishers", 200, ()),
    ("async", "8 publishers, 500 in flight each", 8, ("--batch=500",)),
)


def measure(plan: Plan, place: Path) -> Iterator[Result]:
    """Both kinds of publishers, at equal durability and at the defaults."""
    if not plan.wants("put"):
        return
    server, tool = peers.nats()
    for durability, sync, share in (("syncing always", "always", 2), ("default", "2m", 40)):
        folder = place / sync
        folder.mkdir()
        with _three(server, folder, sync) as url:
            for kind, clients, count, more in _KINDS:
                total = int(1000 * share * plan.seconds * (1 if kind == "sync" else 2))
                said = output(
                    [
                        tool, "-s", url, "bench", "js", "pub", kind, "bench", "--create", "--purge",
                        "--stream=bench", "--replicas=3", "--storage=file", f"--size={SIZE}",
                        f"--msgs={total}", f"--clients={count}", "--no-progress", *more,
                    ]
                )  # fmt: skip
                rate = _RATE.search(said)
                if rate is None:
                    raise peers.LeftOut(f"its tool said nothing of its rate: {said[-200:]}")
                yield Result(
                    f"{count} {clients}" if kind == "sync" else clients, "nats",
                    float(rate[1].replace(",", "")), "calls", note=durability,
                    against="1,000 callers",
                )  # fmt: skip


@contextmanager
def _three(server: Path, place: Path, sync: str) -> Iterator[str]:
    ports = free_ports(6)
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports[3:])
    commands: list[list[str | Path]] = []
    for n in range(3):
        path = place / f"m{n}.conf"
        path.write_text(
            f'server_name: m{n}\nlisten: "127.0.0.1:{ports[n]}"\n'
            f'jetstream {{ store_dir: "{place}/m{n}", sync_interval: {sync} }}\n'
            f'cluster {{ name: bench, listen: "127.0.0.1:{ports[3 + n]}", routes: [{routes}] }}\n'
        )
        commands.append([server, "-c", path])
    with running(commands, ports[:3], place):
        eventually(
            "NATS has a leader of its streams",
            lambda: any(
                "JetStream cluster new metadata leader" in (place / f"server-{n}.log").read_text()
                for n in range(3)
            ),
        )
        yield ",".join(f"nats://127.0.0.1:{port}" for port in ports[:3])
