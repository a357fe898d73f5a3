"""etcd, measured by its own tool. It syncs each batch of its log before it answers.

Decides: how it is started and called. Must not know: the others. Read next: replog.py.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import peers
from tests.bench.plan import CALLERS, CONNECTIONS, SIZE, Plan
from tests.bench.processes import output, running
from tests.bench.report import Result
from tests.support.processes import free_ports

_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_PERCENT = re.compile(r"^\s*([\d.]+)% in ([\d.]+) secs", re.MULTILINE)


def measure(plan: Plan, place: Path) -> Iterator[Result]:
    """The workloads that are asked for."""
    server, tool = peers.etcd()
    with _three(server, place) as endpoints:
        common: list[str | Path] = [tool, "--endpoints", ",".join(endpoints)]
        many = [*common, f"--clients={CALLERS}", f"--conns={CONNECTIONS}"]
        put = ["put", f"--val-size={SIZE}", "--key-size=16", "--key-space-size=100000"]
        output([*common, "--clients=100", "--conns=10", *put, "--total=2000"])
        if plan.wants("put"):
            said = output([*many, *put, f"--total={int(14_000 * plan.seconds)}"])
            yield _result("1,000 callers", said, f"{CALLERS} clients, {CONNECTIONS} connections")
        if plan.wants("one"):
            said = output(
                [*common, "--clients=1", "--conns=1", *put, f"--total={int(800 * plan.seconds)}"]
            )
            yield _result("one caller", said, "")
        if plan.wants("get"):
            total = f"--total={int(25_000 * plan.seconds)}"
            said = output([*many, "range", "foo", "--consistency=l", total])
            yield _result("linearizable reads", said, "range --consistency=l, one key")


@contextmanager
def _three(server: Path, place: Path) -> Iterator[Sequence[str]]:
    ports = free_ports(6)
    clients, members = ports[:3], ports[3:]
    everybody = ",".join(f"m{n}=http://127.0.0.1:{port}" for n, port in enumerate(members))
    commands: list[list[str | Path]] = [
        [
            server, "--name", f"m{n}", "--data-dir", place / f"m{n}", "--log-level", "error",
            "--listen-client-urls", f"http://127.0.0.1:{clients[n]}",
            "--advertise-client-urls", f"http://127.0.0.1:{clients[n]}",
            "--listen-peer-urls", f"http://127.0.0.1:{members[n]}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{members[n]}",
            "--initial-cluster", everybody,
        ]
        for n in range(3)
    ]  # fmt: skip
    with running(commands, clients, place):
        yield [f"127.0.0.1:{port}" for port in clients]


def _result(name: str, said: str, note: str) -> Result:
    rate = _RATE.search(said)
    if rate is None:
        raise peers.LeftOut(f"etcd's tool said nothing of its rate: {said[-200:]}")
    at = {percent: float(seconds) * 1000 for percent, seconds in _PERCENT.findall(said)}
    return Result(name, "etcd", float(rate[1]), "calls", at.get("50"), at.get("99"), note)
