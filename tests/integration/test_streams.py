"""Events through a real node, and through a proxy that holds answers back unless told not to."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from replog_node.settings import split_address
from tests.support.processes import ask, cluster

HELD_BYTES = 64 * 1024
"""A proxy's usual buffer: a small event would never fill it."""


class Proxy:
    """Passes one connection after the other on, answers in full buffers only, as nginx does."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                with caller, socket.create_connection(self._upstream) as node:
                    node.sendall(caller.recv(65536))
                    self._answer(node, caller)

    def _answer(self, node: socket.socket, caller: socket.socket) -> None:
        """Pass the head on, then the body: at once if the head asks for it."""
        held = b""
        while b"\r\n\r\n" not in held:
            held += node.recv(65536)
        at_once = b"x-accel-buffering: no" in held.lower()
        while True:
            if at_once or len(held) >= HELD_BYTES:
                caller.sendall(held)
                held = b""
            more = node.recv(65536)
            if not more:
                caller.sendall(held)
                return
            held += more


def endpoint(address: str) -> tuple[str, int]:
    """Host and port."""
    found = split_address(address)
    assert found is not None
    return found


def lines(address: str, head: str) -> Iterator[str]:
    """The lines of an answer, as they come."""
    with socket.create_connection(endpoint(address), timeout=10) as connection:
        connection.sendall(f"{head}\r\nHost: x\r\n\r\n".encode())
        with connection.makefile("r", encoding="utf-8", newline="\n") as found:
            for line in found:
                yield line.strip()


def data(found: Iterator[str]) -> tuple[str, str]:
    """The id and the value of the next event."""
    last = next(line for line in found if line.startswith("id: "))
    text = next(line for line in found if line.startswith("data: "))
    return last.removeprefix("id: "), str(json.loads(text.removeprefix("data: "))["value"])


def test_events_come_at_once_through_a_proxy_that_holds_back_and_go_on_at_another_member(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path) as three:
        three.found()
        leader = three.leader()
        follower = next(node for node in three.nodes if node is not leader)
        proxy = Proxy(endpoint(follower.client))
        try:
            found = lines(proxy.address, "GET /v1/records HTTP/1.1\r\nAccept: text/event-stream")
            for value in ("a", "b"):
                headers = {"Content-Type": "application/octet-stream"}
                ask("POST", leader.client, "/v1/records", value.encode(), headers=headers)
                last, told = data(found)
                assert told == value
        finally:
            proxy.close()
        first = last.rpartition("-")[0] + "-0"
        resumed = f"GET /v1/records HTTP/1.1\r\nAccept: text/event-stream\r\nLast-Event-ID: {first}"
        assert data(lines(leader.client, resumed))[1] == "a"
