"""Calls that are not data: producer sessions, targets, transfers, feature levels.

Each goes to the leader, here or elsewhere, and waits within its time for one to be found. All but
transfers are answered when the entry that they made is committed and applied here.

Decides: what each does at the leader. Must not know: HTTP.
Read next: calls.py (how they travel), ledger.py, ../raft/membership.py.
"""

from collections import deque
from typing import assert_never

from replog.wire.problems import ApiError
from replog.wire.schemas import (
    AskedBy,
    Done,
    LevelRequest,
    ProducerRequest,
    ProducerSession,
    SnapshotRequest,
    TargetRequest,
    TransferRequest,
    TrimRequest,
)
from replog_node.driver.calls import Call, Plan, Resolve, Result, StopQuestion
from replog_node.driver.kernel import Kernel
from replog_node.driver.ledger import Ledger, Promise
from replog_node.driver.limits import DriverLimits
from replog_node.driver.obstacles import Obstacles
from replog_node.driver.questions import answer_of, target_of
from replog_node.driver.verdicts import Verdicts
from replog_node.model.controls import (
    CONTROL_LEVELS,
    Control,
    LogTrimmed,
    ProducerFenced,
    SnapshotPoint,
)
from replog_node.model.entries import Entry, Payload
from replog_node.model.positions import MemberId, Offset, Term
from replog_node.raft.effects import Accepted, Reason, Rejected, TransferEnded
from replog_node.raft.events import LevelRequested, TargetRequested, TransferRequested
from replog_node.raft.membership import judge_operator
from replog_node.state.head import HeadState


class Admin:
    """The queue of admin calls, and what became of them."""

    def __init__(
        self,
        kernel: Kernel,
        head: HeadState,
        ledger: Ledger,
        verdicts: Verdicts,
        obstacles: Obstacles,
        limits: DriverLimits,
    ) -> None:
        self._kernel = kernel
        self._head = head
        self._ledger = ledger
        self._verdicts = verdicts
        self._obstacles = obstacles
        self._limits = limits
        self._queue: deque[Call] = deque()
        self._transfers: list[Call] = []

    @property
    def waiting(self) -> int:
        """Calls that are not carried out."""
        return len(self._queue)

    def take(self, call: Call) -> None:
        """Queue a call; flush carries it out."""
        if len(self._queue) + len(self._transfers) >= self._limits.admin_calls:
            call.reply(ApiError("overloaded", "too many admin calls wait"))
        else:
            self._queue.append(call)

    def flush(self) -> None:
        """As a leader that may append: carry out what waits."""
        while self._queue and self._obstacles.to_control() is None:
            call = self._queue.popleft()
            try:
                self._carry_out(call)
            except ApiError as refusal:
                self._verdicts.tell(refusal, call.reply, deadline_s=call.deadline_s)

    def take_for_leader(self) -> Call | None:
        """Take a call that should be sent to the leader."""
        return self._queue.popleft() if self._queue else None

    def put_back(self, call: Call) -> None:
        """It was surely not sent."""
        self._queue.appendleft(call)

    def refuse_forwarded(self, refusal: ApiError) -> None:
        """Refuse what other members sent here: this member doesn't lead."""
        queue, self._queue = self._queue, deque()
        for call in queue:
            if call.forwarded:
                call.reply(refusal)
            else:
                self._queue.append(call)

    def expire(self, now_s: float) -> None:
        """Refuse what waited for too long; a transfer may still happen."""
        queue, self._queue = self._queue, deque()
        for call in queue:
            if call.deadline_s > now_s:
                self._queue.append(call)
            else:
                call.reply(self._obstacles.why_not_appended())
        transfers, self._transfers = self._transfers, []
        for call in transfers:
            if call.deadline_s > now_s:
                self._transfers.append(call)
            else:
                call.reply(ApiError("timeout", "the transfer has not ended in time"))

    def transfer_ended(self, effect: TransferEnded) -> None:
        """Tell those who asked for it."""
        transfers, self._transfers = self._transfers, []
        for call in transfers:
            if effect.done:
                call.reply(Done(done=True, detail=f"{effect.to} leads now"))
            else:
                call.reply(ApiError("transfer_failed", f"{effect.to} did not take over in time"))

    def close(self, refusal: ApiError) -> None:
        """The member stops."""
        self.refuse(refusal)
        for call in self._transfers:
            call.reply(ApiError("outcome_unknown", "the member stops before the transfer ended"))
        self._transfers.clear()

    def refuse(self, refusal: ApiError) -> None:
        """Refuse everything that waits to be carried out."""
        for call in self._queue:
            call.reply(refusal)
        self._queue.clear()

    def _carry_out(self, call: Call) -> None:
        match call.request:
            case ProducerRequest():
                refusal = self._obstacles.no_room()
                if refusal is not None:  # as data: clients may ask for many
                    raise refusal
                self._allocate(call, call.request)
            case TargetRequest():
                self._target(call, call.request)
            case TransferRequest(to=to, asked_by=asked_by):
                self._heed(asked_by)
                self._transfer(call, to)
            case LevelRequest(feature_level=level, asked_by=asked_by):
                self._heed(asked_by)
                self._raise(call, level)
            case TrimRequest(before=before):
                self._trim(call, Offset(before))
            case SnapshotRequest(asked_by=asked_by):
                self._heed(asked_by)
                self._snapshot(call)
            case Resolve():
                self._resolve(call, call.request)
            case Plan() | StopQuestion():
                call.reply(answer_of(call.request, self._kernel.core))
            case _:
                assert_never(call.request)

    def _heed(self, asked_by: AskedBy | None) -> None:
        """Refuse an operator that was deposed, as its target would be; raises ApiError."""
        if asked_by is None:
            return
        configuration = self._kernel.configuration()
        if configuration is None:
            raise ApiError("not_leader", "this member has no configuration yet")
        refusal = judge_operator(configuration, asked_by.epoch, asked_by.holder)
        if refusal is not None:
            raise ApiError(refusal.reason.value, refusal.detail)

    def _allocate(self, call: Call, request: ProducerRequest) -> None:
        allocation = self._head.allocate(request.request, request.expires_after_ms)
        record = allocation.record
        session = ProducerSession(record.producer_id, record.epoch, record.expires_after_ms)
        if allocation.known_since is not None:
            self._known(call, session, allocation.known_since)
            return
        base = self._kernel.next_offset()
        entry = self._propose(record)
        self._head.allocated(record, base, entry.append_time_ms)
        self._promise(call, entry.term, base, session)

    def _known(self, call: Call, result: Result, offset: Offset) -> None:
        term = self._kernel.term_at(offset)
        if term is None or offset <= self._ledger.settled:
            call.reply(result)
        else:
            self._ledger.repeat(
                Promise(term, offset, result, call.reply, deadline_s=call.deadline_s)
            )

    def _trim(self, call: Call, before: Offset) -> None:
        """Commit a trim; only what is committed can be given up."""
        end = Offset(self._kernel.committed.offset + 1)
        if before > end:
            raise ApiError(
                "offset_out_of_range", f"{before} is beyond the end of the log, {end}",
                end_offset=end,
            )  # fmt: skip
        if before <= self._head.log_start:
            call.reply(Done(True, f"the log starts at {self._head.log_start} already"))
            return
        entry = self._propose(LogTrimmed(before, "call"))
        done = Done(True, f"the log starts at {before}", entry.last)
        self._promise(call, entry.term, entry.base, done)

    def _snapshot(self, call: Call) -> None:
        entry = self._propose(SnapshotPoint("call"))
        done = Done(True, f"every member builds a snapshot at offset {entry.last}", entry.last)
        self._promise(call, entry.term, entry.base, done)

    def _resolve(self, call: Call, request: Resolve) -> None:
        """Fence an epoch; what of it was appended is committed before the fence is."""
        fence = self._head.resolve(request.producer_id, request.epoch)
        if fence.known_since is not None:
            self._known(call, fence.answer, fence.known_since)
            return
        refusal = self._obstacles.no_room()
        if refusal is not None:
            raise refusal
        base = self._kernel.next_offset()
        record = ProducerFenced(fence.answer.producer_id, fence.answer.epoch)
        entry = self._propose(record)
        self._head.fenced(record, base, entry.append_time_ms)
        self._promise(call, entry.term, base, fence.answer)

    def _target(self, call: Call, request: TargetRequest) -> None:
        event = TargetRequested(target_of(request), self._kernel.clock.wall_ms())
        verdict = self._kernel.run(event)
        if isinstance(verdict, Accepted):
            entry = verdict.entry
            done = Done(done=True, detail="the target is committed", offset=entry.last)
            self._promise(call, entry.term, entry.base, done)
        else:
            self._decided(call, verdict)

    def _decided(self, call: Call, verdict: Rejected | None) -> None:
        """Tell what the configuration in force decides, once that is known to be committed.

        Told earlier, it may be false: "was removed", by a change that the next leader doesn't know,
        would let somebody empty the directory of a voter.
        """
        if verdict is None:
            raise ApiError("not_leader", "the core gave no verdict")
        if verdict.reason is not Reason.ALREADY_DONE:
            raise ApiError(verdict.reason.value, verdict.detail)
        done = Done(done=True, detail=verdict.detail or "done before")
        self._known(call, done, self._kernel.configuration_offset())

    def _raise(self, call: Call, level: int) -> None:
        """Commit a feature level; a repeated call waits for the record of the first."""
        verdict = self._kernel.run(LevelRequested(level, self._kernel.clock.wall_ms()))
        if isinstance(verdict, Accepted):
            entry = verdict.entry
            done = Done(True, f"the log is at feature level {level}", entry.last)
            self._promise(call, entry.term, entry.base, done)
        else:
            self._decided(call, verdict)

    def _transfer(self, call: Call, to: str | None) -> None:
        if to == self._kernel.member:
            call.reply(Done(done=True, detail="it leads already"))
            return
        verdict = self._kernel.run(TransferRequested(None if to is None else MemberId(to)))
        if isinstance(verdict, Rejected):
            call.reply(ApiError(verdict.reason.value, verdict.detail))
        else:
            self._transfers.append(call)

    def _propose(self, record: Control) -> Entry:
        """Append a record; raises ApiError if some member may not know its kind."""
        needed, level = CONTROL_LEVELS[type(record)], self._kernel.feature_level()
        if needed > level:
            what = f"this call needs feature level {needed}, the log is at {level}"
            raise ApiError("feature_level_needed", what)
        return self._kernel.propose(Payload((record,)))

    def _promise(self, call: Call, term: Term, base: Offset, result: Result) -> None:
        self._ledger.add(Promise(term, base, result, call.reply, deadline_s=call.deadline_s))
