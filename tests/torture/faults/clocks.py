"""A member's clock jumps, by an hour to a year.

Only one at a time: log time follows the median of the clocks. Must not know: when it happens.
Read next: ../../support/skewed_node.py.
"""

import re
import time
from random import Random

from tests.support.processes import eventually
from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab

HOUR_S = 3600
SKEWS_S = (-24 * HOUR_S, -HOUR_S, HOUR_S, 24 * HOUR_S, 365 * 24 * HOUR_S)
NEAR_S = 60.0
APART = re.compile(r"(\d+) ms apart")


def jump(lab: Lab, random: Random) -> Seen:
    """Forth and back. Seen: how far the voters' clocks lie apart, as the leader says."""
    with lab.victim(random) as member:
        skew_s = random.choice(SKEWS_S)
        member.skew.write_text(str(skew_s))
        try:
            said = eventually("a leader sees it", lambda: _apart_s(lab, abs(skew_s)), 30)
            time.sleep(random.uniform(1, 3))
        finally:
            member.skew.unlink()
        evidence = f"{member.name}: set {skew_s} s ahead, the leader sees {said:.0f} s between"
        return Seen(abs(said - abs(skew_s)) < NEAR_S, evidence)


def _apart_s(lab: Lab, least_s: float) -> float:
    """How far apart the clocks lie by what the leader says, if it is so much; else 0."""
    found = APART.search(lab.leads().waits().get("ClocksDisagree", ""))
    apart_s = int(found.group(1)) / 1000 if found else 0.0
    return apart_s if apart_s > least_s - NEAR_S else 0.0


CLOCKS = (Fault("clock step", "clocks", jump),)
