"""What was appended here and is not committed yet, with who waits for it.

An entry stays registered when its leader steps down: only what is *committed* at its place tells
its outcome (paper 5.4, figure 8). The same term there: it happened. Another term: it never will.

Decides: the outcome of everything appended. Must not know: how it was appended.
Read next: appends.py, admin.py.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from replog.wire.problems import ApiError
from replog_node.driver.answers import Reply
from replog_node.model.positions import Offset, Term


class Promise:
    """One caller's part of an appended entry.

    base: its first offset. result: what to answer once that is applied here. deadline_s: monotonic;
    past it the caller hears that the outcome is unknown, and the place keeps being accounted for.
    """

    __slots__ = ("base", "deadline_s", "reply", "result", "size_bytes", "term")

    def __init__(
        self, term: Term, base: Offset, result: Any, reply: Reply[Any] | None, *,
        deadline_s: float, size_bytes: int = 0,
    ) -> None:  # fmt: skip
        self.term = term
        self.base = base
        self.result = result
        self.reply = reply
        self.deadline_s = deadline_s
        self.size_bytes = size_bytes


class Ledger:
    """All promises, by term and then by offset."""

    def __init__(self) -> None:
        self._terms: dict[Term, deque[Promise]] = {}
        self.size_bytes = 0
        self.count = 0
        self.settled = Offset(-1)
        """Everything up to this is answered."""

    @property
    def waiting(self) -> int:
        """Callers that have not heard yet."""
        return sum(p.reply is not None for terms in self._terms.values() for p in terms)

    def add(self, promise: Promise) -> None:
        """Register what has just been appended; offsets of one term never fall."""
        self._terms.setdefault(promise.term, deque()).append(promise)
        self.size_bytes += promise.size_bytes
        self.count += 1

    def repeat(self, promise: Promise) -> None:
        """Register one more caller of what was appended before and isn't settled yet."""
        waiting = self._terms.setdefault(promise.term, deque())
        place = len(waiting)
        while place and waiting[place - 1].base > promise.base:
            place -= 1
        waiting.insert(place, promise)
        self.count += 1

    def settle(self, applied: Offset, term_at: Callable[[Offset], Term | None]) -> None:
        """Answer everything at or below the applied offset."""
        self.settled = applied
        for term in sorted(self._terms):
            waiting = self._terms[term]
            while waiting and waiting[0].base <= applied:
                promise = waiting.popleft()
                self._forget(promise)
                _answer(promise, term_at(promise.base))
            if not waiting:
                del self._terms[term]

    def expire(self, now_s: float, in_force: Term) -> None:
        """Tell those whose time is over that the outcome is unknown.

        Of the term in force a place is kept, so that its bytes count as pending until committed;
        one without bytes, as a verdict's, and all of older terms are dropped, because nobody waits
        for them any more.
        """
        for term in sorted(self._terms):
            waiting = self._terms[term]
            for promise in waiting:
                if promise.reply is not None and promise.deadline_s <= now_s:
                    reply, promise.reply = promise.reply, None
                    reply(_too_late())
            self._drop_answered(term, all_of_them=term != in_force)

    def _drop_answered(self, term: Term, *, all_of_them: bool) -> None:
        kept: deque[Promise] = deque()
        for promise in self._terms[term]:
            if promise.reply is None and (all_of_them or not promise.size_bytes):
                self._forget(promise)
            else:
                kept.append(promise)
        if kept:
            self._terms[term] = kept
        else:
            del self._terms[term]

    def close(self) -> None:
        """The member stops: nobody will be told here what became of it."""
        for term in sorted(self._terms):
            for promise in self._terms[term]:
                if promise.reply is not None:
                    promise.reply(
                        ApiError("outcome_unknown", "the member stops before the commit is known")
                    )
        self._terms.clear()
        self.size_bytes = self.count = 0

    def _forget(self, promise: Promise) -> None:
        self.size_bytes -= promise.size_bytes
        self.count -= 1


def _answer(promise: Promise, committed: Term | None) -> None:
    """committed: the term of what is committed in its place; None: a snapshot hides it."""
    if promise.reply is None:
        return
    if committed is None:
        detail = "this member goes on from a snapshot, which doesn't tell what became of it"
        promise.reply(ApiError("outcome_unknown", detail))
    elif committed == promise.term:
        promise.reply(promise.result)
    else:
        promise.reply(ApiError("superseded", "another leader's entry was committed in its place"))


def _too_late() -> ApiError:
    return ApiError("timeout", "it was appended but not committed in time")
