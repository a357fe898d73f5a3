"""Real node processes for tests: start, kill, stop, pause, ask; every one ends with its test.

Decides: ports, directories, and how a cluster is founded. Must not know: what tests want to show.
Read next: ../integration/.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
REAL = ("-m", "replog_node")
LOSSY = ("-m", "tests.support.lossy_node")
FAST = {
    "REPLOG_TICK_MS": "20",
    "REPLOG_HEARTBEAT_MS": "100",
    "REPLOG_ELECTION_TIMEOUT_MS": "600",
    "REPLOG_SEGMENT_BYTES": str(4 * 1024 * 1024),
}
"""Elections in about a second, segments that roll over."""


class Refused(Exception):
    """An HTTP answer of 400 or more. problem: its JSON."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The problem's code."""
        return str(self.problem.get("code")) if isinstance(self.problem, dict) else ""


def free_ports(count: int) -> list[int]:
    """Ports below the range that the system hands out itself, free just now."""
    random = SystemRandom()
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def call(
    method: str,
    address: str,
    path: str,
    body: bytes | dict[str, Any] | None = None,
    *,
    headers: dict[str, str] | None = None,
    timeout_s: float = 15.0,
) -> tuple[int, bytes, dict[str, str]]:
    """One HTTP request; (status, body, headers by lower-case name). Raises OSError without one."""
    sent = dict(headers or {})
    if isinstance(body, dict):
        body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(
        f"http://{address}{path}", data=body, headers=sent, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return response.status, response.read(), found
    except urllib.error.HTTPError as error:
        found = {name.lower(): value for name, value in error.headers.items()}
        return error.code, error.read(), found


def ask(method: str, address: str, path: str, body: Any = None, **options: Any) -> Any:
    """One HTTP request; its JSON answer. Raises Refused, OSError."""
    status, content, _ = call(method, address, path, body, **options)
    try:
        answer = json.loads(content)
    except ValueError:
        answer = content.decode(errors="replace")
    if status >= 400:
        raise Refused(status, answer)
    return answer


def eventually(what: str, look: Callable[[], T | None], timeout_s: float = 30.0) -> T:
    """Look again and again until it returns something true; refusals and silence count as no."""
    deadline = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = seen = look()
            if seen:
                return seen
        except (OSError, Refused) as problem:
            last = problem
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s: {what}; last: {last}")


class Node:
    """One member's process, its directory and addresses. prefix: the command that starts it."""

    def __init__(self, directory: Path, command: Sequence[str], env: dict[str, str]) -> None:
        client, peer = free_ports(2)
        self.directory = directory
        self.client = f"127.0.0.1:{client}"
        self.peer = f"127.0.0.1:{peer}"
        self.command = tuple(command)
        self.env = env
        self.prefix: tuple[str, ...] = ()
        self.log = directory.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        """Start the process (again)."""
        arguments = [
            *self.prefix, sys.executable, *self.command, "--data-dir", str(self.directory),
            "--client-address", self.client, "--peer-address", self.peer, *more,
        ]  # fmt: skip
        env = {**os.environ, **FAST, **self.env}
        env["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT / "operator", ROOT / "node", ROOT)))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments, cwd=ROOT, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout_s: float = 20.0) -> int:
        """Wait for the end; its exit code."""
        if self.process is None:
            raise AssertionError("it was never started")
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(20)

    def status(self) -> Any:
        """GET /v1/cluster."""
        return ask("GET", self.peer, "/v1/cluster", timeout_s=3)

    def member(self) -> str:
        """Its id, once it answers."""
        return str(eventually(f"{self.directory.name} answers", self.status)["member"])

    def said(self) -> str:
        """Its log lines."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Cluster:
    """Several nodes in one directory."""

    def __init__(
        self,
        directory: Path,
        count: int = 3,
        *,
        command: Sequence[str] = REAL,
        env: dict[str, str] | None = None,
    ) -> None:
        self.nodes = [
            Node(directory / f"member-{number}", command, dict(env or {}))
            for number in range(count)
        ]
        self.cluster_id = str(uuid.uuid4())

    def start(self) -> None:
        """Start those that don't run."""
        for node in self.nodes:
            if not node.alive:
                node.start()

    def found(self, voters: int | None = None) -> str:
        """Start the voters, found the cluster, wait for the first target; its operation.

        voters: how many; everybody, when left out.
        """
        for node in self.nodes[:voters]:
            if not node.alive:
                node.start()
        first = self.nodes[0]
        first.member()
        ask(
            "POST", first.peer, "/v1/cluster:bootstrap",
            {"cluster_id": self.cluster_id, "operation": "found"},
        )  # fmt: skip
        return self.retarget(self.nodes[:voters])

    def retarget(self, nodes: Sequence[Node], *, timeout_s: float = 60.0) -> str:
        """Set a target and wait until it is reached; its operation id."""
        operation = str(uuid.uuid4())
        members = [{"id": node.member(), "address": node.peer} for node in nodes]

        def set_target() -> bool:
            status = self.leader().status()
            body = {
                "members": members, "operation": operation,
                "planned_from": status["configuration_offset"],
            }  # fmt: skip
            ask("POST", self.leader().peer, "/v1/cluster:target", body)
            return True

        def reached() -> bool:
            target = self.leader().status()["target"]
            return bool(target["reached"] and target["operation"] == operation)

        eventually("the target is committed", set_target, timeout_s)
        eventually("the target is reached", reached, timeout_s)
        return operation

    def leader(self, timeout_s: float = 30.0) -> Node:
        """The node that leads and may append, by the highest term."""

        def find() -> Node | None:
            found: list[tuple[int, Node]] = []
            for node in self.nodes:
                if not node.alive:
                    continue
                try:
                    status = node.status()
                except (OSError, Refused):
                    continue
                if status["role"] == "leader":
                    found.append((status["term"], node))
            return max(found, key=lambda pair: pair[0])[1] if found else None

        return eventually("somebody leads", find, timeout_s)

    def settled(self, nodes: Sequence[Node] | None = None, timeout_s: float = 60.0) -> None:
        """Wait until these nodes have applied the same end of the log, and it is the leader's."""

        def equal() -> bool:
            end = self.leader().status()["last_offset"]
            return all(node.status()["applied_offset"] == end for node in (nodes or self.nodes))

        eventually("everybody has applied everything", equal, timeout_s)

    @property
    def endpoints(self) -> list[str]:
        """All client listeners."""
        return [node.client for node in self.nodes]

    def records(self, node: Node | None = None) -> list[tuple[int, bytes]]:
        """Every record of the log, (offset, value), read linearizably."""
        found: list[tuple[int, bytes]] = []
        at = 0
        while True:
            page = ask(
                "GET", (node or self.leader()).client,
                f"/v1/records?from={at}&limit=10000", timeout_s=20,
            )  # fmt: skip
            for record in page["records"]:
                found.append((record["offset"], record.get("value", "").encode()))
            at = page["next_offset"]
            if at >= page["end_offset"]:
                return found

    def close(self) -> None:
        """End every process."""
        for node in self.nodes:
            node.kill()


@contextmanager
def cluster(directory: Path, count: int = 3, **options: Any) -> Iterator[Cluster]:
    """A cluster whose processes end with the block, whatever happens; logs are shown on failure."""
    made = Cluster(directory, count, **options)
    try:
        yield made
    except BaseException:
        for node in made.nodes:
            tail = "\n".join(node.said().splitlines()[-25:])
            sys.stderr.write(f"--- {node.directory.name} ({node.client}):\n{tail}\n")
        raise
    finally:
        made.close()


def process_of(directory: Path) -> int | None:
    """The node that keeps its data in this directory, whoever started it; None if none runs."""
    wanted = str(directory).encode()
    for found in Path("/proc").iterdir():
        if found.name.isdigit():
            try:
                words = (found / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it has ended meanwhile
            if wanted in words and b"--client-address" in words:
                return int(found.name)
    return None
