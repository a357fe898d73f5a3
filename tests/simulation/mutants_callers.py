"""Known bugs of what callers are told: head state, sessions, outcomes, lineage.

Decides: the pieces of source, and what a plausible mistake would have written there.
Must not know: how a bug shows. Read next: mutation.py, mutants_raft.py.
"""

from typing import Final

from tests.simulation.mutation import Edit, Mutant

HEAD: Final = (
    Mutant(
        "repeats are appended again",
        "design 3, Appends: exact repeat",
        (
            Edit(
                "state/head.py", "if original is not None:",
                "if original is None and batch.count < 0:",
            ),
        ),
    ),
    Mutant(
        "head state outlives the lead",
        "design 2.3; NATS #8106",
        (Edit("driver/driver.py", "self._head.drop()", "pass"),),
        shows="head state",
        scenario="a_leader_leads_again",
    ),
    Mutant(
        "a condition is decided against what is applied only",
        "design 2.3, 3 conditional append",
        (
            Edit(
                "state/head.py",
                "return max(self._last_record, self._applied.last_record)",
                "return self._applied.last_record",
            ),
        ),
        shows="head state",
    ),
    Mutant(
        "a fence counts only once it is applied",
        "design 3, Appends: fencing",
        (
            Edit(
                "state/head.py",
                "            ahead = fenced(session, record.epoch, offset, log_time_ms)\n"
                "            self._sessions[record.producer_id] = (ahead, offset)",
                "            pass",
            ),
        ),
        shows="head state",
    ),
    Mutant(
        "a fence is not applied",
        "design 3, Appends: fencing",
        (
            Edit(
                "state/applied.py",
                "if session is not None and session.epoch < control.epoch:",
                "if session is not None and session.epoch > control.epoch:",
            ),
        ),
        shows="head state",
    ),
    Mutant(
        "only the last batch of a session is remembered",
        "KIP-98: five batches in flight",
        (Edit("state/producers.py", "appended)[-IN_FLIGHT_MAX:]", "appended)[-1:]"),),
    ),
    Mutant(
        "a leader appends before it has applied what it inherited",
        "design 3, Raft: admission; etcd #13766",
        (
            Edit(
                "driver/obstacles.py", "if self._applied.offset < core.ready_at:",
                "if core.ready_at < 0:",
            ),
        ),
        scenario="a_leader_has_not_applied_yet_what_it_inherited",
    ),
)  # fmt: skip

VERDICTS: Final = (
    Mutant(
        "a target that was set before is answered before it is committed",
        "seed 657 of the simulation",
        (
            Edit(
                "driver/admin.py",
                "self._known(call, done, self._kernel.configuration_offset())",
                "call.reply(done)",
            ),
        ),
    ),
    Mutant(
        "a refusal by what the log holds is told without asking a quorum",
        "seed 210 of the simulation",
        (
            Edit(
                "driver/verdicts.py",
                "self._reads.take(Read(confirmed, deadline_s))",
                "confirmed(Offset(-1))",
            ),
        ),
    ),
    Mutant(
        "the last record of a lost lead is remembered",
        "design 2.3, 3 conditional append",
        (
            Edit(
                "state/head.py",
                "        self._next_producer_id = 0\n"
                "        self._last_record = Offset(-1)\n\n    def _remembered",
                "        self._next_producer_id = 0\n\n    def _remembered",
            ),
        ),
        shows="head state",
    ),
    Mutant(
        "a member has caught up as soon as it knows a leader",
        "openraft 97d92771; the catalogue's bug 32",
        (
            Edit(
                "driver/catchup.py",
                "            self._asking = True\n",
                "            self._asking = self.done = True\n",
            ),
        ),
    ),
)  # fmt: skip

ANSWERS: Final = (
    Mutant(
        "a read is answered before what it promises is applied",
        "thesis 6.4, step 4; RATIS-2511",
        (Edit("driver/reads.py", "if index > applied:", "if index < -1:"),),
    ),
    Mutant(
        "what the disk gave is applied, whoever wrote it",
        "log matching, paper 5.3",
        (
            Edit(
                "driver/applier.py",
                "if self._kernel.term_at(entry.last) != entry.term:",
                "if self._kernel.term_at(entry.last) is None:",
            ),
        ),
        scenario="a_read_from_disk_is_overtaken",
    ),
    Mutant(
        "an entry's outcome is told by its offset alone",
        "paper 5.4, figure 8; etcd-raft ABA race",
        (
            Edit(
                "driver/ledger.py", "_answer(promise, term_at(promise.base))",
                "_answer(promise, promise.term)",
            ),
        ),
        scenario="an_old_leader_returns",
    ),
    Mutant(
        "a group is sent again after its connection broke",
        "design 3, HTTP: never retried by the follower",
        (
            Edit(
                "driver/callers.py",
                "self.forwards.outstanding.lost(member)",
                "for sent in self.forwards.outstanding._sent.values():\n"
                "            self.appends.put_back([w for w in sent.callers if w is not None])\n"
                "        self.forwards.outstanding._sent.clear()",
            ),
        ),
        scenario="a_connection_breaks_before_the_answer",
    ),
    Mutant(
        "a lost connection is told as if nothing had happened",
        "design 3, HTTP: unknown",
        (
            Edit(
                "driver/outstanding.py",
                'ApiError("outcome_unknown", "the connection to the leader broke")',
                'ApiError("not_leader", "the connection to the leader broke")',
            ),
        ),
        scenario="a_connection_breaks_before_the_answer",
    ),
    Mutant(
        "a call that arrives twice is carried out twice",
        "design 3, HTTP: forwarded once",
        (
            Edit(
                "driver/once.py",
                "if call in seen or call <= highest - WINDOW:",
                "if call <= highest - WINDOW:",
            ),
        ),
        scenario="a_message_arrives_twice",
    ),
)  # fmt: skip

LINEAGE: Final = (
    Mutant(
        "an older life of the log fences a newer one",
        "design 3, Lineage",
        (
            Edit(
                "adapters/hello.py",
                "newer = theirs.lineage.number > mine.lineage.number",
                "newer = theirs.lineage.number != mine.lineage.number",
            ),
        ),
        shows="lineage",
    ),
    Mutant(
        "a fenced member goes on voting and leading",
        "design 3, Lineage",
        (
            Edit(
                "driver/leaving.py",
                "            self._callers.forget(self._refusal())\n"
                "            self._kernel.stop()\n\n    def removed",
                "            self._callers.forget(self._refusal())\n\n    def removed",
            ),
        ),
        shows="lineage",
    ),
    Mutant(
        "a member of another life of the log is let in",
        "design 3, Lineage; NATS #8413",
        (
            Edit(
                "adapters/hello.py",
                "if mine.lineage == theirs.lineage or mine.lineage is None",
                "if mine.lineage is not None",
            ),
            Edit(
                "driver/founding.py",
                "reply((self._membership.cluster_id, self._membership.lineage) == "
                "(cluster_id, lineage))",
                "reply(self._membership.cluster_id == cluster_id)",
            ),
        ),
        shows="lineage",
    ),
)  # fmt: skip

CALLERS: Final = (*HEAD, *VERDICTS, *ANSWERS, *LINEAGE)
