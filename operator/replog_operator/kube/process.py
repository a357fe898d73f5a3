"""The operator's process: waits for the lease, acts while it holds it, gives it up at SIGTERM.

Decides: what runs beside what, and the order of the end: no pass is begun any more, those under way
end, the lease is released. It is not after a pass that a failure or the time broke off: what was
sent last may still arrive, so the next process waits until the lease has run out.
Must not know: what a pass does (reconcile.py).
Read next: election.py, workers.py, watch.py, reconcile.py.
"""

import asyncio
import secrets
import signal
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, NoReturn

from replog.logs import Log
from replog_operator.kube.client import Client, configuration
from replog_operator.kube.election import Election
from replog_operator.kube.fence import Deposed, Fence, since_boot_s
from replog_operator.kube.lease import Timing
from replog_operator.kube.metrics import OperatorMetrics
from replog_operator.kube.ports import Reads, Refused, Unanswered, Writes
from replog_operator.kube.probes import Health, served
from replog_operator.kube.reading import LeaseStore, Reader
from replog_operator.kube.settings import OperatorSettings
from replog_operator.kube.watch import OURS, Watch, key_of
from replog_operator.kube.workers import Pass, Workers
from replog_operator.kube.workqueue import RESYNC_S
from replog_operator.kube.writing import Failpoint, FencedNodes, Writer

EXIT_STOPPED: Final = 0
EXIT_FAILED: Final = 1
EXIT_DEPOSED: Final = 3
"""The lease was lost: the process ended at once, in the middle of whatever it did."""

DRAIN_S: Final = 12.0
"""For the passes under way at SIGTERM; Kubernetes waits 30 s by default."""
POD_NAME_CHARS: Final = 40
"""Its end; members take holders of up to 256 characters, in which lease and operation fit, too."""
AGENT: Final = "replog-operator"


class Tools(NamedTuple):
    """What passes are made of."""

    reads: Reads
    writes: Writes
    nodes: FencedNodes
    fence: Fence
    rise_above: Callable[[int], None]
    metrics: OperatorMetrics
    settings: OperatorSettings
    log: Log


MakePass = Callable[[Tools], Pass]


class Shell(NamedTuple):
    """What only the outermost part of the program may do. end: leave at once, with this code."""

    end: Callable[[int], NoReturn]
    reach: Failpoint


class Process:
    """One process. Its parts are made in `run`, within its event loop."""

    def __init__(self, settings: OperatorSettings, make_pass: MakePass, shell: Shell) -> None:
        self._settings = settings
        self._make_pass = make_pass
        self._shell = shell
        self._identity = f"{settings.pod_name[-POD_NAME_CHARS:]}-{secrets.token_hex(4)}"
        self._log = Log("replog_operator.process").bind(identity=self._identity)
        self._fence = Fence()
        self._metrics = OperatorMetrics()
        self._health = Health(since_boot_s)
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Run until SIGTERM or a failure; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        found = await configuration(self._settings.kubeconfig)
        nodes = FencedNodes(self._fence, self._shell.reach)
        async with Client(found, AGENT) as client, nodes:
            return await self._with(client, nodes)

    async def _with(self, client: Client, nodes: FencedNodes) -> int:
        election = self._election(client)
        reader, writer = Reader(client), Writer(client, self._fence, self._shell.reach)
        tools = Tools(
            reader, writer, nodes, self._fence, election.rise_above, self._metrics,
            self._settings, Log("replog_operator.pass"),
        )  # fmt: skip
        run = self._metrics.measured(self._make_pass(tools))
        workers = Workers(run, Log("replog_operator.workers"), since_boot_s)
        where = (self._settings.address, self._settings.port)
        async with served(self._health, lambda: self._shown(workers), *where) as port:
            self._log.info("operator_started", port=port, lease=self._settings.lease_name)
            return await self._until_stopped(
                self._act(election, reader, workers), election, workers
            )

    def _election(self, client: Client) -> Election:
        name = (self._settings.lease_namespace, self._settings.lease_name)
        log = Log("replog_operator.lease")
        return Election(
            LeaseStore(client), name, self._identity, self._fence, log,
            clock=since_boot_s, timing=Timing(), looked=self._connected,
        )  # fmt: skip

    def _connected(self) -> None:
        self._health.connected = True

    async def _until_stopped(
        self, acting: Awaitable[None], election: Election, workers: Workers
    ) -> int:
        task = asyncio.ensure_future(acting)
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        failed = task.done()
        if failed:
            self._log.error("operator_failed", error=task.exception())
        drained = await workers.drain(DRAIN_S) and not failed
        stopping.cancel()
        task.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)
        if drained:
            await election.release()
        self._log.info("operator_stopped", drained=drained)
        return EXIT_FAILED if failed else EXIT_STOPPED

    async def _act(self, election: Election, reader: Reader, workers: Workers) -> None:
        """Everything that is done under the lease. Never returns."""
        await election.win()
        self._health.acts()
        watch = Watch(self._settings.namespace, self._settings.kubeconfig, workers.look)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._or_end(election.keep()))
            group.create_task(watch.run())
            group.create_task(self._resync(reader, workers))
            for _ in range(self._settings.workers):
                group.create_task(self._or_end(workers.work()))

    async def _or_end(self, work: Awaitable[None]) -> None:
        """Leave at once when the lease is lost: nothing may be done any more, not even tidying."""
        try:
            await work
        except Deposed as problem:
            self._log.error("deposed", reason=str(problem))
            self._shell.end(EXIT_DEPOSED)

    async def _resync(self, reader: Reader, workers: Workers) -> None:
        """Look at every log, again and again, whatever the watches say."""
        while True:
            try:
                await self._look_at_all(reader, workers)
                self._health.resynced()
                self._metrics.resynced.set_to_current_time()
            except (Refused, Unanswered) as problem:
                self._log.warning("resync_failed", reason=str(problem))
            await asyncio.sleep(RESYNC_S)

    async def _look_at_all(self, reader: Reader, workers: Workers) -> None:
        """Logs first: those that only tasks name may be gone, and must take nobody's place."""
        for kind in OURS:
            for namespace in self._settings.namespace or ("",):
                for found in await reader.list(kind, namespace):
                    key = key_of(kind, found)
                    if key is not None:
                        workers.look(key)

    def _shown(self, workers: Workers) -> bytes:
        number = self._fence.number
        self._metrics.lease_held.set(number > 0)
        self._metrics.lease_transitions.set(number)
        self._metrics.served.set(workers.logs())
        self._metrics.show_passes(workers.running(), since_boot_s)
        return self._metrics.text()
