"""Faults of processes: killed, stopped, ended, power lost, the lead handed over.

Must not know: when they happen. Read next: ../lab.py.
"""

import json
import signal
import time
from collections.abc import Sequence
from random import Random

from tests.support.processes import ask, eventually
from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab, Member, process_state, responds

POWER_TRIES = 3
"""So often power fails in one fault at most, until something was unsynced."""


def kill(lab: Lab, random: Random) -> Seen:
    """`kill -9` of one member. Seen: the process ended by it, and a new one answers."""
    with lab.victim(random) as member:
        before = member.pid
        member.signal(signal.SIGKILL)
        code = _killed(member)
        time.sleep(random.uniform(0.1, 2.5))
        member.start()
        member.member()
        evidence = f"{member.name}: process {before} ended with {code}, now {member.pid}"
        return Seen(member.pid != before, evidence)


def _killed(member: Member) -> int:
    """How it ended: by the signal. What had ended before by itself is a fault of its own."""
    if (code := member.wait()) != -signal.SIGKILL:
        raise AssertionError(f"{member.name} ended with {code}, before it was killed")
    return code


def kill_all(lab: Lab, random: Random) -> Seen:
    """`kill -9` of all members at once. Seen: as above, of each."""
    before = [member.pid for member in lab.members]
    for member in lab.members:
        member.signal(signal.SIGKILL)
    for member in lab.members:
        _killed(member)
    lab.start_members()
    after = [member.pid for member in lab.members]
    return Seen(not set(before) & set(after), f"processes {before} are {after} now")


def stop(lab: Lab, random: Random) -> Seen:
    """SIGSTOP, later SIGCONT. Seen: state T in /proc, and a call that isn't answered."""
    with lab.victim(random) as member:
        term = member.status()["term"]
        member.signal(signal.SIGSTOP)
        try:
            time.sleep(random.uniform(1, 4))
            state, answers = process_state(member.pid), responds(member, 0.5)
        finally:
            member.signal(signal.SIGCONT)
        later = eventually("it answers again", member.status)["term"]
        effect = state == "T" and not answers
        return Seen(effect, f"{member.name}: state {state}, answers: {answers}, {term} → {later}")


def roll(lab: Lab, random: Random) -> Seen:
    """SIGTERM and a new start of each in turn. Seen: each ended with 0 and is a new process."""
    before = [member.pid for member in lab.members]
    for member in random.sample(lab.members, len(lab.members)):
        _restart(lab, [member])
    after = [member.pid for member in lab.members]
    return Seen(not set(before) & set(after), f"processes {before} are {after} now")


def transfer(lab: Lab, random: Random) -> Seen:
    """Hand the lead over. Seen: the member that was named leads, in a later term."""
    old = lab.leads()
    to = random.choice([member for member in lab.members if member is not old])
    term, wanted = old.status()["term"], {"to": to.member()}

    def handed_over() -> bool:
        return bool(ask("POST", lab.leads().peer, "/v1/cluster:transfer", wanted)["done"])

    eventually("the lead is handed over", handed_over)
    found = eventually("somebody leads", lab.leader).status()
    effect = found["member"] == to.member() and found["term"] > term
    return Seen(effect, f"{old.name} → {to.name}, term {term} → {found['term']}")


def power_of_one(lab: Lab, random: Random) -> Seen:
    """One member loses power. Seen: unsynced bytes or names that its disk has lost or torn."""
    with lab.victim(random) as member:
        return _power(lab, random, [member])


def power_of_all(lab: Lab, random: Random) -> Seen:
    """All members lose power at once. Seen: as above."""
    return _power(lab, random, list(lab.members))


def _power(lab: Lab, random: Random, members: Sequence[Member]) -> Seen:
    losses = _power_fails(lab, random, members)
    for _ in range(POWER_TRIES - 1):
        if any(map(_lost, losses)):
            break
        losses = _power_fails(lab, random, members)
    names = ", ".join(member.name for member in members)
    dropped, torn = (sum(loss[name] for loss in losses) for name in ("dropped_bytes", "torn"))
    evidence = f"{names}: {dropped} unsynced bytes lost, {torn} writes torn"
    return Seen(any(map(_lost, losses)), evidence)


def _lost(loss: dict[str, int]) -> bool:
    """Whether a disk has lost anything."""
    return bool(loss["dropped_bytes"] or loss["torn"] or loss["dropped_names"])


def _power_fails(lab: Lab, random: Random, members: Sequence[Member]) -> list[dict[str, int]]:
    """Start them on disks that can lose power and let it fail; what each disk has lost."""
    for member in members:
        member.be_lossy(True)
    _restart(lab, members)
    time.sleep(random.uniform(0.5, 1.0))
    for member in members:
        member.signal(signal.SIGUSR1)
    for member in members:
        _killed(member)
        member.be_lossy(False)
    _start(lab, members)
    return [json.loads(member.losses.read_text().splitlines()[-1]) for member in members]


def _restart(lab: Lab, members: Sequence[Member]) -> None:
    """End these by SIGTERM, all at once, and start them again. They have caught up then."""
    for member in members:
        member.signal(signal.SIGTERM)
    for member in members:
        if code := member.wait(30):
            raise AssertionError(f"{member.name} ended with {code} after SIGTERM")
    _start(lab, members)


def _start(lab: Lab, members: Sequence[Member]) -> None:
    for member in members:
        member.start()
    for member in members:
        lab.wait_for(member)


PROCESSES = (
    Fault("kill -9", "processes", kill),
    Fault("kill -9 of all", "processes", kill_all, alone=True),
    Fault("SIGSTOP", "processes", stop),
    Fault("rolling restart", "processes", roll, alone=True),
    Fault("leadership transfer", "transfer", transfer, alone=True),
    Fault("power loss of one", "processes", power_of_one, alone=True),
    Fault("power loss of all", "processes", power_of_all, alone=True),
)
