"""Whatever is delayed, lost, paused or released: at no time may two processes write.

Processes with clocks of their own, which go equally fast and say different times, want one lease at
an API server. Every request and every answer takes any time, or is lost. Time is drawn, so that
each run is a schedule that hypothesis can make smaller.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from replog_operator.kube.fence import Deposed, Epoch, Fence
from replog_operator.kube.lease import Seen, Timing, Wait, decide, read, seen, written

TIMING = Timing()
PROCESSES = 2
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Request(NamedTuple):
    """A write of the lease on its way. sent_s: by the clock of the process.

    awaited: the process has not given up waiting for the answer.
    """

    process: int
    lease: dict[str, Any]
    sent_s: float
    awaited: bool = True


class World:
    """A lease, processes that want it, and requests under way."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.stored: dict[str, Any] | None = None
        self.versions = 0
        self.requests: list[Request] = []
        self.answers: list[Request] = []
        self.views: list[Seen | None] = [None] * PROCESSES
        self.fences = [Fence(self._clock(number)) for number in range(PROCESSES)]
        self.epochs: set[tuple[int, str]] = set()

    def _clock(self, number: int) -> Any:
        return lambda: self.now_s + 1000.0 * number

    def look(self, process: int) -> None:
        """It reads the lease, and waits for nothing else any more."""
        self.give_up(process)
        lease = None if self.stored is None else read(self.stored)
        self.views[process] = seen(self.views[process], lease, self.fences[process].now_s())

    def send(self, process: int) -> None:
        """It sends what its last look asks for."""
        view, fence = self.views[process], self.fences[process]
        if view is None:
            return
        step = decide(str(process), view, fence.now_s())
        if not isinstance(step, Wait):
            made = written(("ns", "x"), str(process), step.transitions, TIMING, NOW, step.version)
            made["spec"]["renewTime"] = str(fence.now_s())
            self.requests.append(Request(process, made, fence.now_s()))

    def release(self, process: int) -> None:
        """It gives the lease up, if it believes to hold it."""
        self.give_up(process)
        view, fence = self.views[process], self.fences[process]
        if view is not None and view.lease is not None and view.lease.holder == str(process):
            fence.close()
            made = written(("ns", "x"), "", view.lease.transitions, TIMING, NOW, view.lease.version)
            self.requests.append(Request(process, made, fence.now_s()))

    def give_up(self, process: int) -> None:
        """What it has sent may still arrive; the answers come too late."""
        self.answers = [found for found in self.answers if found.process != process]
        self.requests = [
            found._replace(awaited=found.awaited and found.process != process)
            for found in self.requests
        ]

    def arrive(self, which: int) -> None:
        """A request reaches the server, which takes it only for the version that it names."""
        if not self.requests:
            return
        request = self.requests.pop(which % len(self.requests))
        version = request.lease["metadata"].get("resourceVersion")
        if version != (self.stored or {"metadata": {}})["metadata"].get("resourceVersion"):
            return
        self.versions += 1
        metadata = {**request.lease["metadata"], "resourceVersion": str(self.versions)}
        self.stored = {**request.lease, "metadata": metadata}
        if request.awaited and request.lease["spec"]["holderIdentity"]:
            self.answers.append(request._replace(lease=self.stored))

    def answer(self, which: int) -> None:
        """An answer reaches its process."""
        if self.answers:
            request = self.answers.pop(which % len(self.answers))
            now_s = self.fences[request.process].now_s()
            self.views[request.process] = seen(
                self.views[request.process], read(request.lease), now_s
            )
            number = request.lease["spec"]["leaseTransitions"]
            epoch = Epoch("ns/x", number, str(request.process))
            self.fences[request.process].extend(epoch, request.sent_s + TIMING.write_s)
            self.epochs.add((number, str(request.process)))

    def lose(self, which: int) -> None:
        """A request, or else an answer, is lost."""
        lost = self.requests or self.answers
        if lost:
            lost.pop(which % len(lost))

    def round(self, process: int) -> None:
        """A look and what follows from it, at once."""
        self.late(process)
        if self.answers and self.answers[-1].process == process:
            self.answer(-1)

    def late(self, process: int) -> None:
        """The same, and the answer is on its way."""
        self.look(process)
        self.send(process)
        if self.requests and self.requests[-1].awaited and self.requests[-1].process == process:
            self.arrive(-1)

    def leave(self, process: int) -> None:
        """It gives the lease up, which the server hears at once."""
        self.release(process)
        self.arrive(-1)

    def wait(self, tenths: int) -> None:
        """Time passes."""
        self.now_s += tenths / 10

    def writers(self) -> list[int]:
        """Who may write now."""
        return [number for number, fence in enumerate(self.fences) if may_write(fence)]


def may_write(fence: Fence) -> bool:
    try:
        fence.check()
    except Deposed:
        return False
    return True


ANYBODY = st.integers(0, PROCESSES - 1)
WAITS = st.sampled_from([1, 20, 50, 70, 90, 100, 110, 149, 150])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("round"), ANYBODY),
        st.tuples(st.just("wait"), WAITS),
        st.tuples(st.sampled_from(["late", "leave", "look", "send", "release"]), ANYBODY),
        st.tuples(st.sampled_from(["answer", "arrive", "lose"]), st.integers(0, 2)),
    ),
    max_size=30,
)


@settings(max_examples=500, deadline=None)
@given(STEPS)
@example([("late", 0), ("round", 1), ("wait", 150), ("round", 1), ("answer", 0)])
@example([("round", 0), ("leave", 0), ("round", 1)])
@example([("round", 0), ("look", 1), ("wait", 90), ("round", 0), ("wait", 70), ("round", 1)])
def test_at_no_time_may_two_processes_write_and_no_number_has_two_holders(
    steps: list[tuple[str, int]],
) -> None:
    world = World()
    for name, argument in steps:
        getattr(world, name)(argument)
        assert len(world.writers()) <= 1, (name, argument, world.now_s)
    numbers = [number for number, _ in world.epochs]
    assert len(numbers) == len(set(numbers))


def test_a_schedule_without_faults_has_a_writer() -> None:
    world = World()
    for name in ("look", "send", "arrive", "answer"):
        getattr(world, name)(0)
    assert world.writers() == [0]
