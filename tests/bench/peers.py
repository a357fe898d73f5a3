"""The other systems: fetched, built and kept outside of the repository, by version.

Each is optional: what can't be built here (no go, no maven, no network) is left out, by name.

Decides: versions and where they are kept. Must not know: what is measured.
Read next: etcd.py, nats.py, kafka.py.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

ETCD: Final = "3.6.8"
NATS: Final = "2.12.1"
NATS_CLI: Final = "0.3.0"
KAFKA: Final = "4.1.0"
BUILD_S: Final = 900

_GO_MODULE: Final = "module bench\n\ngo 1.24\n"
_POM: Final = """<project>
<modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>bench</artifactId><version>1</version><dependencies>
{dependencies}
</dependencies></project>
"""
_DEPENDENCY: Final = (
    "<dependency><groupId>{0}</groupId><artifactId>{1}</artifactId>"
    "<version>{2}</version></dependency>"
)


class LeftOut(Exception):
    """A system or tool that this machine can't have; the text says why."""


def cache() -> Path:
    """Where everything built is kept; deleting it only costs time."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "replog-bench"


def etcd() -> tuple[Path, Path]:
    """The server and its own load generator."""
    server = _go_build(
        f"etcd-{ETCD}", "etcd", f"go.etcd.io/etcd/server/v3@v{ETCD}", "go.etcd.io/etcd/server/v3"
    )
    tool = "go.etcd.io/etcd/v3/tools/benchmark"
    return server, _go_build(f"benchmark-{ETCD}", "benchmark", f"{tool}@v{ETCD}", tool)


def nats() -> tuple[Path, Path]:
    """The server and the command line, which has the load generator."""
    place = cache() / f"nats-{NATS}"
    for name, module in (
        ("nats-server", f"github.com/nats-io/nats-server/v2@v{NATS}"),
        ("nats", f"github.com/nats-io/natscli/nats@v{NATS_CLI}"),
    ):
        if not (place / name).exists():
            place.mkdir(parents=True, exist_ok=True)
            _run([tool("go"), "install", module], place, GOBIN=str(place))
    return place / "nats-server", place / "nats"


def kafka() -> Path:
    """The folder of jars that run a broker and its tools."""
    tool("java")
    jars = cache() / f"kafka-{KAFKA}" / "lib"
    if not (jars.parent / "complete").exists():
        jars.mkdir(parents=True, exist_ok=True)
        wanted = [
            ("org.apache.kafka", name, KAFKA)
            for name in ("kafka_2.13", "kafka-tools", "kafka-storage")
        ]
        wanted.append(("org.slf4j", "slf4j-nop", "1.7.36"))
        text = "".join(_DEPENDENCY.format(*row) for row in wanted)
        (jars.parent / "pom.xml").write_text(_POM.format(dependencies=text))
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        _run([tool("mvn"), "-q", "-B", *goal], jars.parent)
        (jars.parent / "complete").touch()
    return jars


def tool(name: str) -> str:
    """A program of this machine; raises LeftOut."""
    found = shutil.which(name)
    if found is None:
        raise LeftOut(f"this machine has no {name}")
    return found


def _go_build(folder: str, name: str, module: str, package: str) -> Path:
    place = cache() / folder
    if not (place / name).exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "go.mod").write_text(_GO_MODULE)
        _run([tool("go"), "get", module], place)
        _run([tool("go"), "build", "-o", name, package], place)
    return place / name


def _run(command: list[str], place: Path, **env: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=place, env={**os.environ, **env}, capture_output=True, text=True,
            timeout=BUILD_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LeftOut(f"{' '.join(command[:3])} took more than {BUILD_S} s") from None
    if done.returncode:
        raise LeftOut(f"{' '.join(command[:3])}: {done.stderr.strip().splitlines()[-1:]}")
