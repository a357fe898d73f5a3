"""The leader is stopped for ten seconds and wakes up believing that it leads."""

import signal
import threading
import time
from pathlib import Path

import pytest

from tests.integration.load import Load, check_everything
from tests.support.processes import Node, cluster

PAUSED_S = 10


class Asleep:
    """Calls that the stopped leader finds when it wakes; the load judges what it says to them."""

    def __init__(self, load: Load, leader: Node) -> None:
        self._load = load
        self._leader = leader
        self._threads: list[threading.Thread] = []
        self.said: list[object] = []

    def ask(self) -> None:
        """Send a read of what is acknowledged by now, and an append."""
        for target in (self._read, self._write):
            thread = threading.Thread(target=target, args=(len(self._threads),))
            self._threads.append(thread)
            thread.start()

    def wait(self) -> None:
        """Until all are answered."""
        for thread in self._threads:
            thread.join(30)

    def _read(self, _: int) -> None:
        self.said.append(self._load.read_newest(self._leader.client, timeout_s=25.0))

    def _write(self, number: int) -> None:
        self.said.append(self._load.append_once(f"asleep{number}-0", self._leader.client, 25.0))


@pytest.mark.timeout(180)
def test_a_leader_stopped_for_ten_seconds_tells_no_lie_when_it_wakes(tmp_path: Path) -> None:
    with cluster(tmp_path) as three:
        three.found()
        with Load(three.endpoints, readers=2) as load:
            load.more(40)
            old = three.leader()
            term = old.status()["term"]
            asleep = Asleep(load, old)
            old.signal(signal.SIGSTOP)
            load.endpoints = [node.client for node in three.nodes if node is not old]
            before = len(load.acked)
            for _ in range(PAUSED_S):
                asleep.ask()
                time.sleep(1)
            assert len(load.acked) >= before + 20, "nobody else took over"
            old.signal(signal.SIGCONT)
            directly = [load.read_newest(old.client) for _ in range(50)]
            asleep.wait()
            load.endpoints = three.endpoints
            load.more(20)
        three.settled()
        assert three.leader().status()["term"] > term
        check_everything(load, three)
        assert "seen" in directly
        assert len(asleep.said) == 2 * PAUSED_S
