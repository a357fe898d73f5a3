"""kopf watches the API server, and says which log to look at; nothing else is asked of it.

Its handlers return nothing and write nothing, so it puts neither finalizers nor annotations on any
object. What it remembers of objects is never read: after a gap in a watch it can be wrong for ever
(seen with 1.45.2), while a pass reads for itself.

kopf runs on an event loop and a thread of its own: when it stops it cancels every task of its loop
that was made after it began, and on a main thread it takes over the signals.

Decides: what is watched, and how kopf is set. Must not know: what a look does.
Read next: workers.py, docs/decisions/0013-the-lease-is-ours-and-kopf-only-wakes.md.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Final

import kopf

from replog_operator.kube.children.names import LABEL_INSTANCE, LABEL_NAME, NODE_NAME
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.kinds import (
    BUDGET,
    CLAIM,
    CONFIG_MAP,
    LOG,
    NETWORK_POLICY,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    TASK,
    Kind,
)
from replog_operator.kube.workqueue import Key

OURS: Final = (LOG, TASK)
"""Logs before tasks: see process.py."""
CHILDREN: Final = (
    BUDGET, CLAIM, CONFIG_MAP, NETWORK_POLICY, POD, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET,
)  # fmt: skip
"""Watched by label, so that objects of others are not even sent."""
CHILD_SELECTOR: Final = f"{LABEL_NAME}={NODE_NAME}"

FINALIZER: Final = "replog.dev/unused"
"""Never set. kopf takes its finalizer off objects that it has no need to hold, and by default that
is the one of every other operator that is built with kopf."""

IDENTITY: Any = "replog-operator"
"""Among kopf's peers, of which there are none. Left out, kopf asks for the name of the user, and
fails in an image whose user has none. Its type is kopf's own, which kopf keeps to itself."""

REQUEST_S: Final = 10.0
WATCH_S: Final = 240
"""A watch is asked for anew so often: whole seconds, as the server wants them."""
INACTIVE_S: Final = 70.0
"""Servers send a bookmark each minute; without any for so long the connection is taken for dead."""
STOP_S: Final = 3.0


class WatchEnded(Exception):
    """kopf stopped by itself: nobody would be told of changes any more."""


class Backoff:
    """Seconds between tries, without an end: a watch is never given up."""

    def __iter__(self) -> Iterator[float]:
        wait_s = 1.0
        while True:
            yield wait_s
            wait_s = min(wait_s * 2, 8.0)


def key_of(kind: Kind, found: Object) -> Key | None:
    """Which log an object belongs to; None: to none."""
    metadata: dict[str, Any] = found.get("metadata", {})
    if kind == LOG:
        name = metadata.get("name")
    elif kind == TASK:
        name = found.get("spec", {}).get("log")
    else:
        name = metadata.get("labels", {}).get(LABEL_INSTANCE)
    namespace = metadata.get("namespace")
    return Key(namespace, name) if namespace and name else None


def settings_for(namespaces: Sequence[str]) -> kopf.OperatorSettings:
    """kopf's settings; each has its test in tests/cluster/test_watch.py."""
    found = kopf.OperatorSettings()
    found.persistence.finalizer = FINALIZER
    found.peering.standalone = True
    found.posting.enabled = False
    # Without it kopf lists and watches namespaces and CustomResourceDefinitions.
    found.scanning.disabled = bool(namespaces)
    found.networking.request_timeout = REQUEST_S
    found.networking.connect_timeout = REQUEST_S
    found.networking.error_backoffs = Backoff()
    found.watching.server_timeout = WATCH_S
    found.watching.client_timeout = WATCH_S + REQUEST_S
    found.watching.connect_timeout = REQUEST_S
    found.watching.inactivity_timeout = INACTIVE_S
    for kind in CHILDREN:
        group, _ = _group_version(kind)
        found.watching.label_selectors[group, kind.plural] = CHILD_SELECTOR
    return found


class Watch:
    """Watches these namespaces, or the whole cluster if there are none.

    look: called on the loop that runs `run`, once for each event.
    """

    def __init__(
        self, namespaces: Sequence[str], kubeconfig: Path | None, look: Callable[[Key], None]
    ) -> None:
        self._namespaces = tuple(namespaces)
        self._kubeconfig = kubeconfig
        self._look = look
        self._stop: Callable[[], None] | None = None

    async def run(self) -> None:
        """Watch until it is cancelled. Raises WatchEnded if kopf ends before."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        thread = Thread(target=self._thread, args=(loop, ended), name="kopf", daemon=True)
        thread.start()
        try:
            raise WatchEnded(await ended)
        finally:
            if self._stop is not None:
                self._stop()
                await asyncio.to_thread(thread.join, STOP_S)

    def _thread(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[str]) -> None:
        try:
            asyncio.run(self._operate(loop))
            why = "kopf returned"
        except Exception as problem:  # noqa: BLE001 - it is told on the other thread
            why = f"{type(problem).__name__}: {problem}"
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, ended, why)

    async def _operate(self, loop: asyncio.AbstractEventLoop) -> None:
        inner, stop = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: _call(inner, stop.set)
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        await kopf.operator(
            registry=self._registry(loop),
            settings=settings_for(self._namespaces),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
            identity=IDENTITY,
        )

    def _registry(self, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry, id="login")(self._login)
        for kind in (*OURS, *CHILDREN):
            group, version = _group_version(kind)
            register = kopf.on.event(
                group=group, version=version, plural=kind.plural, registry=registry, id=kind.plural
            )
            register(self._handler(kind, loop))
        return registry

    def _handler(self, kind: Kind, loop: asyncio.AbstractEventLoop) -> Any:
        async def changed(event: Any, **_: Any) -> None:
            key = key_of(kind, event["object"])
            if key is not None:
                _call(loop, lambda: self._look(key))

        return changed

    def _login(self, **how: Any) -> Any:
        """As client.configuration does: a file's credentials, or those of the pod's account."""
        if self._kubeconfig is None:
            return kopf.login_with_service_account(**how)
        os.environ["KUBECONFIG"] = str(self._kubeconfig)  # where kopf looks
        return kopf.login_with_kubeconfig(**how)


def _group_version(kind: Kind) -> tuple[str, str]:
    group, _, version = kind.api_version.rpartition("/")
    return group, version


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """On the loop of another thread, which may have ended already."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)


def _settle(ended: asyncio.Future[str], why: str) -> None:
    if not ended.done():
        ended.set_result(why)
