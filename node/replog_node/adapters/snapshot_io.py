"""Snapshots' files behind a thread: pieces that come, pieces for others, and builds.

One thread reads and writes pieces in order; a build waits for its helper in a thread of its own.
What changes the store itself (adopting, installing, releasing) goes through its writer's queue
(io_thread.py).

Decides: nothing but who waits where. Must not know: when a snapshot is needed.
Read next: io_thread.py, ../storage/snapshots.py, builder.py.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Final, NamedTuple, Protocol

from replog_node.adapters.doors import Notes
from replog_node.adapters.guard import OnFailure, guarded
from replog_node.model.positions import Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.storage.disk import DiskError
from replog_node.storage.errors import StorageError, StorageFailed
from replog_node.storage.snapshots import Incoming
from replog_node.storage.store import Store

QUEUED_MAX: Final = 64
"""Pieces that wait; one more for another member is answered as if it weren't here."""

LOOKED_AT_BYTES: Final = 256 * 1024
"""Of the log at once, after a build has failed."""


class Builder(Protocol):
    """Builds a snapshot in the member's directory (builder.HelperProcess)."""

    def __call__(self, up_to: Position) -> str:
        """The name of the temporary file that holds it. Raises whatever went wrong."""

    def end(self) -> None:
        """End what runs."""


class SnapshotListener(Protocol):
    """Who is told, on the event loop."""

    def on_built(self, snapshot: SnapshotMeta | None) -> None:
        """A build has ended."""

    def on_part(self, snapshot: SnapshotMeta, size: int, state: bytes | None) -> None:
        """So much of a fetched snapshot is on disk."""

    def on_chunk(self, request: int, data: bytes | None) -> None:
        """The answer to read_chunk."""


class _Part(NamedTuple):
    snapshot: SnapshotMeta
    at: int
    data: bytes


class _Chunk(NamedTuple):
    request: int
    offset: Offset
    digest: bytes
    at: int
    max_bytes: int


def _nobody(problem: BaseException) -> None:
    """Before start() nobody can be told."""
    raise problem


class SnapshotIo:
    """See above. adopt: puts a built file's name into the writer's queue."""

    def __init__(
        self,
        store: Store,
        builder: Builder,
        notes: Notes,
        tell: Callable[..., None],
        adopt: Callable[[str], None],
        unreadable: Callable[[StorageError], None],
    ) -> None:
        """tell: calls a function on the event loop. unreadable: hears of a damaged snapshot."""
        self._unreadable = unreadable
        self._store = store
        self._builder = builder
        self._notes = notes
        self._tell = tell
        self._adopt = adopt
        self._queue: SimpleQueue[_Part | _Chunk | None] = SimpleQueue()
        self._stopping = False
        self._incoming: Incoming | None = None
        self._listener: SnapshotListener | None = None
        self._builds: Thread | None = None
        self._thread = Thread(target=self._run, name="log-snapshots", daemon=True)
        self._ended: asyncio.Future[None] | None = None
        self._on_failure: OnFailure = _nobody

    def start(
        self, listener: SnapshotListener, ended: "asyncio.Future[None]", on_failure: OnFailure
    ) -> None:
        """Begin to work; `ended` gets a result when the thread is at its end."""
        self._listener, self._ended, self._on_failure = listener, ended, on_failure
        self._thread.start()

    def stop(self) -> None:
        """End after what waits; a build is given up."""
        self._stopping = True
        self._builder.end()
        self._queue.put(None)

    def join(self) -> None:
        """Wait for the threads, which have been told to end."""
        self._thread.join()
        if self._builds is not None:
            self._builds.join()

    # On the loop.

    def build(self, up_to: Position) -> None:
        """See StoragePort."""
        self._builds = Thread(
            target=self._build, args=(up_to,), name="log-snapshot-build", daemon=True
        )
        self._builds.start()

    def part(self, snapshot: SnapshotMeta, at: int, data: bytes) -> None:
        """See StoragePort."""
        self._queue.put(_Part(snapshot, at, data))

    def read_chunk(
        self, request: int, offset: Offset, digest: bytes, at: int, max_bytes: int
    ) -> None:
        """See StoragePort."""
        if self._queue.qsize() >= QUEUED_MAX:
            self._tell(self._chunk_read, request, None)
        else:
            self._queue.put(_Chunk(request, offset, digest, at, max_bytes))

    def _chunk_read(self, request: int, data: bytes | None) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_chunk, request, data)

    def _built(self, snapshot: SnapshotMeta | None) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_built, snapshot)

    def _part_stored(self, snapshot: SnapshotMeta, size: int, state: bytes | None) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_part, snapshot, size, state)

    # On the threads.

    def _build(self, up_to: Position) -> None:
        try:
            name = self._builder(up_to)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the member goes on without
            if self._stopping:
                return  # it was given up because the member stops
            self._tell(self._note, "snapshot_build_failed", problem)
            self._look_for_rot(up_to)
            self._tell(self._built, None)
        else:
            self._adopt(name)

    def _look_for_rot(self, up_to: Position) -> None:
        """Read what the helper has read: rot in it is to be repaired, and not met again."""
        below = [s.position.offset for s in self._store.snapshots if s.position <= up_to]
        segments = self._store.segments()
        at = max([*below, *(segment.base - 1 for segment in segments[:1])], default=up_to.offset)
        try:
            while at < up_to.offset and not self._stopping:
                entries = self._store.read(Offset(at + 1), LOOKED_AT_BYTES)
                at = entries[-1].last if entries else up_to.offset
        except StorageFailed:
            return  # the writer has told it, or the store is being closed
        except StorageError as problem:
            self._unreadable(problem)

    def _note(self, event: str, problem: object) -> None:
        self._notes.note("error", event, detail=problem)

    def _run(self) -> None:
        try:
            while (asked := self._queue.get()) is not None:
                if isinstance(asked, _Part):
                    self._store_part(asked)
                else:
                    self._tell(self._chunk_read, asked.request, self._chunk(asked))
        except Exception as problem:  # noqa: BLE001 - whatever it is, the thread is dead: tell it
            self._tell(self._on_failure, problem)
        self._forget_incoming()
        if self._ended is not None:
            self._tell(self._ended.set_result, None)

    def _chunk(self, asked: _Chunk) -> bytes | None:
        for snapshot in self._store.snapshots:
            if (snapshot.position.offset, snapshot.digest) == (asked.offset, asked.digest):
                try:
                    return self._store.read_chunk(snapshot, asked.at, asked.max_bytes)
                except StorageError as problem:
                    self._unreadable(problem)
        return None

    def _store_part(self, asked: _Part) -> None:
        """Add a piece; when all are there, prove the whole, which may mean to begin anew."""
        try:
            size, state = self._with_piece(asked)
        except (StorageError, DiskError) as problem:
            self._forget_incoming()
            self._tell(self._note, "snapshot_piece_failed", problem)
            return  # whoever wants it asks again
        self._tell(self._part_stored, asked.snapshot, size, state)

    def _with_piece(self, asked: _Part) -> tuple[int, bytes | None]:
        incoming = self._incoming
        if incoming is None or incoming.meta != asked.snapshot:
            self._forget_incoming()
            incoming = self._incoming = self._store.incoming(asked.snapshot)
        if asked.data and asked.at == incoming.size:
            incoming.write(asked.at, asked.data)
        if incoming.size < asked.snapshot.size_bytes:
            return incoming.size, None
        self._incoming = None
        if not incoming.finish():
            return 0, None
        return asked.snapshot.size_bytes, self._store.read_incoming(asked.snapshot)

    def _forget_incoming(self) -> None:
        if self._incoming is not None:
            self._incoming.close()
            self._incoming = None
