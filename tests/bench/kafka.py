"""Kafka with acks=all and three replicas: syncing each append (as we do), and at its default.

Its default leaves syncing to the operating system: a power loss everywhere loses what it
acknowledged.

Decides: how it is started and called. Must not know: the others. Read next: report.py.
"""

import re
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import peers
from tests.bench.plan import Plan
from tests.bench.processes import output, running
from tests.bench.report import Result
from tests.support.processes import eventually, free_ports

_RATE = re.compile(r"([\d.]+) records/sec \(([\d.]+) MB/sec\).*?(\d+) ms 50th", re.DOTALL)
_READ = re.compile(r"^\d{4}-\S+ \S+, [^,]+, [\d.]+, ([\d.]+)", re.MULTILINE)
_MIB = 1024 * 1024 / 1_000_000
_HEAP = "-Xmx256m"


def measure(plan: Plan, place: Path) -> Iterator[Result]:
    """Producers with large batches, at equal durability and at the default; one consumer."""
    if not (plan.wants("batches") or plan.wants("scan")):
        return
    jars = peers.kafka()
    for durability, flush in (("syncing each append", 1), ("default", 2**63 - 1)):
        folder = place / f"flush-{flush}"
        folder.mkdir()
        with _three(jars, folder, flush) as servers:
            _topic(jars, servers)
            _produce(jars, servers, 20_000)
            if plan.wants("batches"):
                said = _produce(jars, servers, int(20_000 * plan.seconds))
                yield Result(
                    "batches up to 1 MB of 1 KiB", "kafka", float(said[2]) * _MIB, "MB",
                    float(said[3]), note=durability,
                )  # fmt: skip
            if plan.wants("scan") and flush == 1:
                yield _consume(jars, servers, int(20_000 * plan.seconds))


def _produce(jars: Path, servers: str, count: int) -> re.Match[str]:
    said = output(
        _java(
            jars, "org.apache.kafka.tools.ProducerPerformance", "--topic", "bench",
            "--num-records", str(count), "--record-size", "1024", "--throughput", "-1",
            "--producer-props", f"bootstrap.servers={servers}", "acks=all", "batch.size=1000000",
            "linger.ms=5", "max.request.size=2000000",
        )
    )  # fmt: skip
    found = _RATE.search(said.strip().splitlines()[-1])
    if found is None:
        raise peers.LeftOut(f"its tool said nothing of its rate: {said[-200:]}")
    return found


def _consume(jars: Path, servers: str, count: int) -> Result:
    said = output(
        _java(
            jars, "org.apache.kafka.tools.ConsumerPerformance", "--topic", "bench",
            "--messages", str(count), "--bootstrap-server", servers, "--timeout", "30000",
        )
    )  # fmt: skip
    numbers = said.strip().splitlines()[-1].split(", ")
    return Result("reads by one consumer", "kafka", float(numbers[3]) * _MIB, "MB")


def _topic(jars: Path, servers: str) -> None:
    def made() -> bool:
        try:
            output(
                _java(
                    jars, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", servers,
                    "--create", "--if-not-exists", "--topic", "bench", "--partitions", "1",
                    "--replication-factor", "3", "--config", "min.insync.replicas=2",
                )
            )  # fmt: skip
        except peers.LeftOut as why:
            raise OSError(str(why)) from why
        return True

    eventually("the topic is made", made, 60)


def _java(jars: Path, *arguments: str) -> list[str | Path]:
    return [peers.tool("java"), _HEAP, "-cp", f"{jars}/*", *arguments]


@contextmanager
def _three(jars: Path, place: Path, flush: int) -> Iterator[str]:
    ports = free_ports(6)
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    voters = ",".join(f"{n}@127.0.0.1:{ports[3 + n]}" for n in range(3))
    commands: list[list[str | Path]] = []
    for n in range(3):
        path = place / f"m{n}.properties"
        path.write_text(
            f"process.roles=broker,controller\nnode.id={n}\ncontroller.quorum.voters={voters}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{ports[n]},CONTROLLER://127.0.0.1:{ports[3 + n]}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{ports[n]}\n"
            "controller.listener.names=CONTROLLER\noffsets.topic.replication.factor=3\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            f"log.dirs={place}/m{n}\nlog.flush.interval.messages={flush}\n"
            "message.max.bytes=2000000\nreplica.fetch.max.bytes=2000000\n"
        )
        output(_java(jars, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(path)))
        commands.append(_java(jars, "kafka.Kafka", str(path)))
    with running(commands, ports[:3], place):
        yield ",".join(f"127.0.0.1:{port}" for port in ports[:3])
