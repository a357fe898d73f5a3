"""A member's clock jumps, by an hour to a year.

Only one at a time: log time is the median of the clocks. Must not know: when it happens.
Read next: ../../support/skewed_node.py.
"""

import time
from random import Random

from replog.wire.schemas import Appended
from tests.support.processes import ask, eventually
from tests.torture.clients import OCTETS
from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab, Member

HOUR_S = 3600
SKEWS_S = (-24 * HOUR_S, -HOUR_S, HOUR_S, 24 * HOUR_S, 365 * 24 * HOUR_S)
NEAR_S = 60.0


def jump(lab: Lab, random: Random) -> Seen:
    """Forth and back. Seen: the time that it gives to a record, by its own answer."""
    with lab.victim(random) as member:
        skew_s = random.choice(SKEWS_S)
        member.skew.write_text(str(skew_s))
        try:
            time.sleep(random.uniform(1, 3))
            ahead_s = eventually("it stamps a record", lambda: _ahead_s(lab, member))
        finally:
            member.skew.unlink()
        effect = abs(ahead_s - skew_s) < NEAR_S
        return Seen(effect, f"{member.name}: set {skew_s} s ahead, stamps {ahead_s:.0f} s ahead")


def _ahead_s(lab: Lab, member: Member) -> float:
    """How far the clock is ahead with which this member stamps a record that brings no time."""
    value = f"clock/{time.monotonic_ns()}/0".encode()
    attempt = lab.journal.begin([value])
    answer = ask("POST", member.client, "/v1/records", value, headers=OCTETS)
    lab.journal.appended(attempt, Appended(**answer))
    path = f"/v1/records?from={answer['base_offset']}&limit=1"
    (record,) = ask("GET", member.client, path)["records"]
    return float(record["timestamp_ms"] / 1000 - time.time())


CLOCKS = (Fault("clock step", "clocks", jump),)
