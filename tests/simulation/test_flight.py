"""What members did under faults, done again from what their flight recorders hold.

So a core says the same to the same events, whatever has happened, and nothing that it knows is
missing in a checkpoint or a step (replog_node/driver/replay.py).
"""

from replog_node.driver.flight import Recording, unpack
from replog_node.driver.replay import replay
from tests.simulation.faults import KINDS
from tests.simulation.run import simulate
from tests.simulation.world import World

STEPS_LEAST = 500
"""A run in which cores did less would prove little."""


def _recordings(world: World) -> list[Recording]:
    """The rings of the members that live and have a core."""
    drivers = [node.driver for node in world.nodes if node.driver is not None]
    found = [unpack(driver.recording(build="", why="simulation")) for driver in drivers]
    return [recording for recording in found if recording.generations]


def test_every_member_of_a_run_does_the_same_again() -> None:
    steps = 0
    for seed in (1, 2):
        for recording in _recordings(simulate(seed, members=5, kinds=KINDS, seconds=10)):
            for outcome in replay(recording):
                assert outcome.difference is None, f"seed {seed}, step {outcome.number}"
                steps += 1
    assert steps >= STEPS_LEAST
