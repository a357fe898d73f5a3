"""Members come and go: three become five and three again, and one comes back with an empty disk.

Whether each change entered and left its joint phase once, the log tells at the end (verdict.py).
Must not know: when it happens. Read next: ../lab.py.
"""

from random import Random

from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import VOTERS, Lab


def grow_or_shrink(lab: Lab, random: Random) -> Seen:
    """From three to all five, or back to three of them. Seen: the leader's configuration."""
    before = len(lab.members)
    if before < len(lab.nodes):
        lab.change(list(lab.nodes))
    else:
        lab.change(random.sample(lab.nodes, VOTERS))
    status = lab.leader().status()
    voters = [member for member in status["members"] if member["role"] == "voter"]
    effect = len(voters) == len(lab.members) != before and not status["joint"]
    return Seen(effect, f"{before} → {len(voters)} voters")


def replace(lab: Lab, random: Random) -> Seen:
    """A member loses its disk and comes back as another one. Seen: its id, in the configuration."""
    with lab.victim(random) as member:
        old = member.member()
        member.kill()
        member.forget_everything()
        member.start()
        new = member.member()
        lab.change(list(lab.members))
        ids = {each["id"] for each in lab.leader().status()["members"]}
        return Seen(new in ids and old not in ids, f"{member.name}: {old} is {new} now")


MEMBERSHIP = (
    Fault("membership change", "membership", grow_or_shrink, alone=True),
    Fault("empty disk", "membership", replace, alone=True),
)
