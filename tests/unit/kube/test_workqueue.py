"""Which log is looked at when (replog_operator/kube/workqueue.py)."""

from replog_operator.kube.workqueue import (
    FAILED_FIRST_S,
    FAILED_MOST_S,
    GATHER_S,
    KEYS_MAX,
    RESYNC_S,
    Key,
    Queue,
)

A, B = Key("ns", "a"), Key("ns", "b")


def taken(queue: Queue, now_s: float) -> Key:
    """The key that is due, which there must be."""
    key = queue.take(now_s)
    assert key is not None
    return key


def test_events_that_come_together_are_one_pass() -> None:
    queue = Queue()
    for moment in (0.0, 0.05, 0.1):
        queue.add(A, moment)
    assert queue.take(GATHER_S - 0.01) is None
    assert (queue.take(GATHER_S), queue.take(GATHER_S)) == (A, None)


def test_the_longest_due_comes_first() -> None:
    queue = Queue()
    queue.add(A, 1.0)
    queue.add(B, 0.0)
    assert [queue.take(5.0), queue.take(5.0)] == [B, A]


def test_a_key_is_worked_on_once_at_a_time_and_again_if_it_was_asked_for_meanwhile() -> None:
    queue = Queue()
    queue.add(A, 0.0)
    taken(queue, 1.0)
    queue.add(A, 1.5)
    assert queue.take(100.0) is None
    queue.done(A, 2.0)
    assert queue.next_s() == 1.5 + GATHER_S and queue.take(2.0) == A


def test_a_key_comes_again_by_itself() -> None:
    queue = Queue()
    queue.add(A, 0.0)
    queue.done(taken(queue, 1.0), 2.0)
    assert queue.take(1.9 + RESYNC_S) is None
    queue.done(taken(queue, 2.0 + RESYNC_S), 100.0, after_s=3.0)
    assert queue.next_s() == 103.0


def test_failures_wait_longer_each_time_up_to_a_bound_and_a_success_forgets_them() -> None:
    queue, now_s, waits = Queue(), 0.0, []
    queue.add(A, now_s, after_s=0.0)
    for _ in range(8):
        waits.append(queue.failed(taken(queue, now_s), now_s))
        now_s += waits[-1]
    assert waits[:4] == [FAILED_FIRST_S * 2**n for n in range(4)]
    assert waits[-1] == FAILED_MOST_S
    queue.done(taken(queue, now_s), now_s, after_s=0.0)
    assert queue.failed(taken(queue, now_s), now_s) == FAILED_FIRST_S


def test_an_event_does_not_cut_the_wait_after_a_failure_short() -> None:
    queue = Queue()
    queue.add(A, 0.0, after_s=0.0)
    taken(queue, 0.0)
    queue.add(A, 0.0)
    queue.failed(A, 0.0)
    queue.add(A, 0.1)
    assert queue.next_s() == FAILED_FIRST_S


def test_a_log_that_is_gone_is_forgotten_unless_it_came_back() -> None:
    queue = Queue()
    queue.add(A, 0.0)
    queue.gone(taken(queue, 1.0), 1.0)
    assert len(queue) == 0 and queue.next_s() is None
    queue.add(A, 2.0)
    taken(queue, 3.0)
    queue.add(A, 3.0)
    queue.gone(A, 4.0)
    assert queue.take(4.0) == A


def test_there_is_a_bound_and_it_is_told() -> None:
    queue = Queue()
    added = [queue.add(Key("ns", str(n)), 0.0) for n in range(KEYS_MAX + 1)]
    assert added.count(False) == 1 and not added[-1]
    assert queue.add(Key("ns", "0"), 0.0)
