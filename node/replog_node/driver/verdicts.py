"""Refusals that say something of the log: told only once it is certain that it was so.

A leader judges by its head state, which may be more than is committed; and it may have been deposed
without knowing it (it slept, it was cut off), so that the log has gone on elsewhere. A refusal that
names the last record, an epoch, a sequence or a removed member would then be false and final. So it
waits as a read does: until all that it was judged by is committed, and a quorum then confirms that
this member leads (thesis 6.4). If that doesn't come, the caller hears `not_leader`: ask again.

Decides: which refusals wait, and for what. Must not know: how they came about.
Read next: reads.py, ledger.py, ../state/head.py.
"""

from typing import Any, Final

from replog.wire.problems import ApiError
from replog_node.driver.answers import Reply
from replog_node.driver.kernel import Kernel
from replog_node.driver.ledger import Ledger, Promise
from replog_node.driver.reads import Read, Reads
from replog_node.model.positions import Offset

OF_THE_LOG: Final = frozenset(
    {
        "change_in_progress", "epoch_exhausted", "feature_level_lower", "invalid_target",
        "last_record_mismatch", "offset_out_of_range", "other_holder", "producer_fenced",
        "producer_unknown", "producers_full", "sequence_conflict", "sequence_gap", "stale_epoch",
        "stale_plan",
    }
)  # fmt: skip
"""Codes of refusals that depend on what the log holds."""


class Verdicts:
    """What a leader has refused and not told yet. Bounded as reads are (DriverLimits.reads)."""

    def __init__(self, kernel: Kernel, ledger: Ledger, reads: Reads) -> None:
        self._kernel = kernel
        self._ledger = ledger
        self._reads = reads

    def tell(self, refusal: ApiError, reply: Reply[Any], *, deadline_s: float) -> None:
        """Refuse, now or once it is certain. deadline_s: monotonic, of the caller."""
        if refusal.code not in OF_THE_LOG:
            reply(refusal)
            return

        led = self._kernel.term()

        def confirmed(result: Offset | ApiError) -> None:
            # A read that outlives the lead is confirmed by the next leader: of its own log.
            leads = self._kernel.leading and self._kernel.term() == led
            reply(_unproven() if isinstance(result, ApiError) or not leads else refusal)

        def committed(result: Any) -> None:
            if isinstance(result, ApiError):
                reply(_unproven())
            else:
                self._reads.take(Read(confirmed, deadline_s))

        last = Offset(self._kernel.next_offset() - 1)
        term = self._kernel.term_at(last)
        if last > self._kernel.committed.offset and term is not None:
            self._ledger.repeat(Promise(term, last, None, committed, deadline_s=deadline_s))
        else:
            committed(None)


def _unproven() -> ApiError:
    return ApiError("not_leader", "the member asked could not show that it still leads")
