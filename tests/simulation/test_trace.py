"""The trace is what docs/testing.md says that it is."""

import re
from pathlib import Path

from tests.simulation.events import Trace
from tests.simulation.plan import draw
from tests.simulation.swarm import bring_up, play

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"
LINE = re.compile(r"^ {0,10}\d+\.\d{6}  (\S+) +(\S+)( .*)?$")
OF_THE_SIMULATION = ("-", "operator")
SEEDS = (3, 4, 11)


def _legend() -> set[str]:
    """What the document explains."""
    part = PAGE.read_text().split("### How to read a trace")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {what for row in rows for what in re.findall(r"`([^`]+)`", row)}


def test_each_line_has_the_columns_and_the_legend_has_what_the_world_tells() -> None:
    world_tells = set[str]()
    for seed in SEEDS:
        world = bring_up(draw(seed))
        play(world, draw(seed))
        for line in world.clockwork.trace.lines:
            found = LINE.match(line)
            assert found is not None, line
            if found[1] in OF_THE_SIMULATION:
                world_tells.add(found[2])
    legend = _legend()
    assert world_tells <= legend, world_tells - legend
    assert {"send", "role", "fault", "started"} <= legend


def test_one_event_is_one_line_whatever_its_details_hold() -> None:
    trace = Trace()
    trace.add(1_500_000, "m0", "says", ("a\nb", 3))
    assert list(trace.lines) == ["   1.500000  m0           says             a b 3"]
