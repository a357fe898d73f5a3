"""All members die at once under load, and come back by themselves."""

import signal
from pathlib import Path

import pytest

from tests.integration.load import Load, check_everything
from tests.support.processes import cluster

TIMES = 5


@pytest.mark.timeout(180)
def test_everybody_killed_at_once_five_times_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with cluster(tmp_path) as three:
        three.found()
        with Load(three.endpoints) as load:
            for _ in range(TIMES):
                load.more(40)
                for node in three.nodes:
                    node.signal(signal.SIGKILL)
                for node in three.nodes:
                    assert node.wait() == -signal.SIGKILL
                three.start()
            load.more(40)
        three.settled()
        check_everything(load, three)
        for node in three.nodes:
            assert three.records(node) == three.records()
            assert node.status()["incarnation"] == TIMES + 1
