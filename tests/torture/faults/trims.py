"""The log's older half is given up; who comes with an empty disk later begins with a snapshot.

It is read before, so that nothing of it is missing when everything is compared at the end.
Must not know: when it happens. Read next: ../logs.py.
"""

from random import Random

from tests.support.processes import Refused, ask, eventually
from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab, Member
from tests.torture.logs import log_of


def trim(lab: Lab, random: Random) -> Seen:
    """Seen: a member, any, refuses to show what lay there, since it is trimmed."""
    start = lab.trimmed[-1].last + 1 if lab.trimmed else 0
    lab.trimmed += eventually("the log is read", lambda: log_of(lab.leads(), start))
    before = lab.trimmed[-1].last // 2
    member = random.choice(lab.members)
    eventually(
        "it is trimmed", lambda: ask("POST", lab.leads().peer, "/v1/log:trim", {"before": before})
    )
    eventually(f"{member.name} refuses", lambda: _refused(member, before - 1))
    return Seen(True, f"{member.name}: the log begins at {before}")


def _refused(member: Member, offset: int) -> bool:
    try:
        ask("GET", member.client, f"/v1/records?from={offset}&limit=1&consistency=local")
    except Refused as refusal:
        return refusal.code == "offset_trimmed"
    return False


TRIMS = (Fault("trim", "log", trim),)
