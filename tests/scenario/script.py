"""Scenario files: a command, `----`, and everything that follows from it.

    elect a
    ----
    a is leader t2
    …

A blank line ends an outcome; lines that begin with # are kept. Commands (names are members):

    cluster abc [learners=x] [others=de]     members with one founding entry; others are empty
    history a 2,2,4 [term=7]                 its disk holds these terms behind the founding entry
    elect a                                  let time pass, and only this member be heard
    lead a                                   as elect, but nothing that it appends gets through
    tick N [still=ab]                        N ticks for all but these, and everything arrives
    deliver                                  everything under way arrives; disks finish
    propose a [N] | read a N | transfer a [b] | target a bc op=x [from=N] [epoch=N] [by=x]
    isolate a | cut ab | heal | lose Kind [from=a] [to=b] [when=joint|filled] | lose nothing
    stall a | unstall a | write a            its disk stops, goes on, finishes its oldest write
    crash a | restart a
    keep a 4 [start=2]                       it builds a snapshot at 4 and lets its log go up to 4
                                             (or 2)
    hold | fetch a                           snapshots that are wanted don't arrive; this one does
    disk a [low] [full] [hole=4]             its disk is like this from now on
    tear a 4                                 it dies, its disk loses all behind 4, it comes back
    hear a from=b Kind term=N …              a message by hand; run=N: of which run of the sender;
                                             entries=N: so many, behind prev;
                                             session: of the last question, unless given;
                                             answering=N: for which run of the receiver
    status | log | changes

After every step figure 3 of the paper is checked (../support/figure_3.py), until something is heard
that is made by hand: that may be a lie.

What is shown: roles, commits, configurations, verdicts, reads. A command that ends with ! shows
every effect, messages and writes included.

Decides: that language. Must not know: what is right.
Read next: test_scenarios.py; ../unit/raft/cluster.py (what moves the cores).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from replog_node.model.entries import Entry
from replog_node.model.positions import Offset, Position, Term
from replog_node.raft import messages
from replog_node.raft.effects import Persist, ReadEntries, Send
from replog_node.raft.events import HardState
from replog_node.raft.messages import Incarnation
from replog_node.raft.render import render_effect, render_status
from tests.support.figure_3 import Figure3
from tests.unit.raft.cluster import Cluster, Disk, data, framer, sends, target

QUIET: Final = (Send, Persist, ReadEntries)
"""Shown only for a command that ends with !."""


class Step:
    """A command with what stands before it (comments, blank lines) and its outcome."""

    def __init__(self, before: list[str], command: str, outcome: list[str]) -> None:
        self.before = before
        self.command = command
        self.outcome = outcome


def parse(text: str) -> Iterator[Step]:
    """The steps of a file; raises ValueError for a command without `----`."""
    before: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if not line or line.startswith("#"):
            before.append(line)
            continue
        if next(lines, None) != "----":
            raise ValueError(f"no ---- after {line!r}")
        outcome = []
        for said in lines:
            if not said:
                break
            outcome.append(said)
        yield Step(before, line, outcome)
        before = []


def rendered(steps: list[Step]) -> str:
    """The file's text."""
    parts = []
    for step in steps:
        parts += [*step.before, step.command, "----", *step.outcome, ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def played(path: Path) -> list[Step]:
    """The file's steps with what really follows from each."""
    player = Player()
    return [
        Step(step.before, step.command, player.play(step.command))
        for step in parse(path.read_text())
    ]


class Player:
    """Carries commands out."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None

    def play(self, line: str) -> list[str]:
        """Carry one out; what followed, line by line."""
        loud = line.endswith("!")
        name, *words = line.rstrip("!").split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        command: Callable[..., list[str] | None] | None = getattr(self, f"_do_{name}", None)
        if command is None:
            raise ValueError(f"unknown command {line!r}")
        if name == "cluster":
            return command(*plain, **options) or self._do_status()
        self.cluster.trace.clear()
        told = command(*plain, **_renamed(options))
        shown = [
            render_effect(member, effect)
            for member, effect in self.cluster.trace
            if loud or not isinstance(effect, QUIET)
        ]
        return told if told is not None else shown or ["nothing"]

    @property
    def cluster(self) -> Cluster:
        """The cluster; a file begins with the command that makes it."""
        if self._cluster is None:
            raise ValueError("a scenario begins with `cluster`")
        return self._cluster

    def _do_cluster(self, voters: str, learners: str = "", others: str = "") -> None:
        self._cluster = Cluster(voters, learners=learners, others=others, watcher=Figure3())

    def _do_history(self, name: str, terms: str, term: str = "") -> None:
        """One record an entry; entries of one term and place are the same on every member."""
        node = self.cluster[name]
        entries = node.disk.entries[:1]
        for wrote in map(int, terms.split(",")):
            entries += _made(entries, Term(wrote), 1)
        node.disk.entries = entries
        node.disk.hard = HardState(Term(int(term or entries[-1].term)), None)
        node.start()

    def _do_elect(self, name: str) -> None:
        self.cluster.elect(name)

    def _do_lead(self, name: str) -> None:
        """As elect, but what it appends reaches nobody, so its no-op is not committed."""

        def silenced(envelope: messages.Envelope) -> bool:
            answers = envelope.to == name and isinstance(envelope.message, messages.VoteReply)
            asks = envelope.sender == name and isinstance(envelope.message, messages.RequestVote)
            return not (answers or asks)

        self.cluster.doubtful = silenced
        self.cluster.run_until(lambda: self.cluster[name].core.role == "leader")
        self.cluster.doubtful = lambda _: False

    def _do_tick(self, ticks: str, still: str = "") -> None:
        self.cluster.run(int(ticks), still=still)

    def _do_deliver(self) -> None:
        self.cluster.deliver()

    def _do_propose(self, name: str, count: str = "1") -> None:
        self.cluster[name].propose(data(int(count)))

    def _do_read(self, name: str, context: str) -> None:
        self.cluster[name].read(int(context))

    def _do_transfer(self, name: str, to: str | None = None) -> None:
        self.cluster[name].transfer(to)

    def _do_target(
        self, name: str, wanted: str, op: str, from_: str = "", epoch: str = "1", by: str = "op"
    ) -> None:
        node = self.cluster[name]
        planned = int(from_) if from_ else node.core.status().configuration_offset
        node.aim(target(wanted, op, planned, epoch=int(epoch), by=by))

    def _do_isolate(self, name: str) -> None:
        self.cluster.isolate(name)

    def _do_cut(self, ends: str) -> None:
        one, other = ends[:1], ends[1:]
        self.cluster.cut |= {(one, other), (other, one)}

    def _do_heal(self) -> None:
        self.cluster.heal()

    def _do_lose(self, kind: str, from_: str = "", to: str = "", when: str = "") -> None:
        def doubtful(envelope: messages.Envelope) -> bool:
            configuration = self.cluster[envelope.to].core.configuration
            joint = configuration is not None and configuration.joint
            filled = bool(getattr(envelope.message, "entries", ()))
            return (
                type(envelope.message).__name__ == kind
                and {"": True, "joint": joint, "filled": filled}[when]
                and envelope.sender in (from_ or envelope.sender)
                and envelope.to in (to or envelope.to)
            )

        self.cluster.doubtful = doubtful

    def _do_stall(self, name: str) -> None:
        self.cluster[name].disk.stalled = True

    def _do_unstall(self, name: str) -> None:
        self.cluster[name].disk.stalled = False

    def _do_write(self, name: str) -> None:
        self.cluster[name].persist_one()

    def _do_crash(self, name: str) -> None:
        self.cluster.crash(name)

    def _do_restart(self, name: str) -> None:
        self.cluster.restart(name)

    def _do_keep(self, name: str, position: str, start: str = "") -> None:
        self.cluster[name].keep(int(position), int(start) if start else None)

    def _do_hold(self) -> None:
        self.cluster.fetching = False

    def _do_fetch(self, name: str) -> None:
        self.cluster[name].fetched()

    def _do_disk(self, name: str, *flags: str, hole: str = "") -> None:
        first = int(hole) if hole else None
        self.cluster[name].disk_is(low="low" in flags, full="full" in flags, hole=first)

    def _do_tear(self, name: str, last: str) -> None:
        self.cluster.tear(name, int(last))

    def _do_hear(
        self, name: str, kind: str, *flags: str, from_: str, run: str = "9", answering: str = "",
        **fields: str,
    ) -> None:  # fmt: skip
        self.cluster.watcher = None
        session = self._session(name, from_) if "session" not in fields else fields["session"]
        log = self.cluster[name].entries
        message = _message(kind, {**fields, "session": session}, flags, log)
        asked = Incarnation(int(answering), 7) if answering else None
        self.cluster[name].hear(from_, message, run=int(run), answering=asked)

    def _session(self, name: str, to: str) -> str:
        """Of the last AppendEntries that a member sent to another."""
        for said in reversed(sends(self.cluster[name].effects, messages.AppendEntries)):
            if said.to == to and isinstance(said.message, messages.AppendEntries):
                return str(said.message.session)
        return "0"

    def _do_status(self) -> list[str]:
        return [
            render_status(node.core.status())
            for _, node in sorted(self.cluster.nodes.items())
            if node.member not in self.cluster.dead
        ]

    def _do_log(self) -> list[str]:
        """Every member's entries on disk as term:last."""
        return [
            f"{name} " + " ".join(f"{term}:{last}" for term, last in node.log())
            for name, node in sorted(self.cluster.nodes.items())
        ]

    def _do_changes(self) -> list[str]:
        return self.cluster.changes()


def _renamed(options: dict[str, str]) -> dict[str, str]:
    return {("from_" if name == "from" else name): value for name, value in options.items()}


def _made(log: list[Entry], term: Term, count: int) -> tuple[Entry, ...]:
    """Entries of one record each, after these."""
    made = list(log)
    for _ in range(count):
        made.append(framer(data(), term, Disk(made).bounds().tail, 0))
    return tuple(made[len(log) :])


def _message(
    kind: str, fields: dict[str, str], flags: tuple[str, ...], log: list[Entry]
) -> messages.CoreMessage:
    """A message by its type's name; fields that aren't given are zero, false or the origin."""
    made = getattr(messages, kind)
    values: dict[str, Any] = {}
    for name in made.__struct_fields__:
        text = fields.get(name)
        if name in ("prev", "last", "match", "hint"):
            term, offset = (text or "0:-1").split(":")
            values[name] = Position(Term(int(term)), Offset(int(offset)))
        elif name in ("pre", "transfer", "ok", "granted"):
            values[name] = name in flags
        elif name == "entries":
            after = [entry for entry in log if entry.last <= values["prev"].offset]
            values[name] = _made(after, Term(values["term"]), int(text or 0))
        else:
            values[name] = int(text or 0)
    message: messages.CoreMessage = made(**values)
    return message
