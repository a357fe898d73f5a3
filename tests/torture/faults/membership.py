"""Members come and go: three become five and three again, and one comes back with an empty disk.

Whether each change entered and left its joint phase once, the log tells at the end (verdict.py).
Must not know: when it happens. Read next: ../lab.py.
"""

from random import Random

from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import VOTERS, Lab, Member


def grow(lab: Lab, random: Random) -> Seen:
    """From three members to five. Seen: the leader's configuration, before and after."""
    if len(lab.members) > VOTERS:
        lab.change(random.sample(lab.nodes, VOTERS))
    return _change(lab, list(lab.nodes))


def shrink(lab: Lab, random: Random) -> Seen:
    """From five members to three of them. Seen: the leader's configuration, before and after."""
    if len(lab.members) == VOTERS:
        lab.change(list(lab.nodes))
    return _change(lab, random.sample(lab.nodes, VOTERS))


def _change(lab: Lab, members: list[Member]) -> Seen:
    before = _voters(lab)
    lab.change(members)
    after = _voters(lab)
    wanted = {member.member() for member in members}
    return Seen(after == wanted != before, f"{len(before)} → {len(after)} voters")


def _voters(lab: Lab) -> set[str]:
    """The ids of the voters by what the leader says."""
    members = lab.leader().status()["members"]
    return {member["id"] for member in members if member["role"] == "voter"}


def replace(lab: Lab, random: Random) -> Seen:
    """A member loses its disk and comes back as another one. Seen: its id, in the configuration."""
    with lab.victim(random) as member:
        old, fetched = member.member(), member.said().count("snapshot_fetched")
        member.kill()
        member.forget_everything()
        member.start()
        new = member.member()
        lab.change(list(lab.members))
        ids = {each["id"] for each in lab.leader().status()["members"]}
        way = "a snapshot" if member.said().count("snapshot_fetched") > fetched else "the log"
        evidence = f"{member.name}: {old} is {new} now, by {way}"
        return Seen(new in ids and old not in ids, evidence)


MEMBERSHIP = (
    Fault("three become five", "membership", grow, alone=True),
    Fault("five become three", "membership", shrink, alone=True),
    Fault("empty disk", "membership", replace, alone=True),
)
