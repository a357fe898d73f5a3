"""Snapshots on their way between members: pulled piece by piece, resumed, proven whole.

Who needs one asks for the bytes after those that it has, at whatever member the leader named; what
it has outlives connections, sources and its own restart (storage/snapshots.py, Incoming). A pull
needs no state at the source, so any number of restarts there change nothing.

Decides: which piece is asked for next, of whom, and when again.
Must not know: files, what is in a snapshot, when one is needed (raft/snapshots.py).
Read next: messages.py, ../storage/snapshots.py.
"""

from collections.abc import Callable
from typing import Final

from google_crc32c import value as crc32c

from replog_node.driver.kernel import Kernel
from replog_node.driver.messages import ChunkFetched, FetchChunk
from replog_node.driver.ports import ObserverPort, StoragePort
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId, Offset
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.events import SnapshotFetched

CHUNK_BYTES: Final = 256 * 1024
"""Asked for at once: other messages on the connection wait no longer than for an append."""

ASK_AGAIN_TICKS: Final = 20
"""Without an answer for so long, the piece is asked for again, of the source named last."""

SERVED_MAX: Final = 4
"""Pieces read for others at once; a further question is dropped, and comes again."""


class Fetching:
    """The snapshot that this member needs, if it needs one. size: bytes that it has of it."""

    def __init__(
        self,
        kernel: Kernel,
        storage: StoragePort,
        observer: ObserverPort,
        fetched: Callable[[SnapshotMeta, bytes], None],
    ) -> None:
        """fetched: called before the core hears of it, with the proven state."""
        self._kernel = kernel
        self._storage = storage
        self._observer = observer
        self._fetched = fetched
        self._source: MemberId | None = None
        self._asked: int | None = None
        self._waited_ticks = 0
        self._installing = 0
        self.wanted: SnapshotMeta | None = None
        self.size = 0

    @property
    def picture(self) -> str:
        """How far it is, in words; "" if nothing is fetched."""
        if self.wanted is None:
            return ""
        return (
            f"{self.size} of {self.wanted.size_bytes} bytes of the snapshot at "
            f"{self.wanted.position.offset}, from {self._source}"
        )

    def want(self, snapshot: SnapshotMeta, source: MemberId) -> None:
        """Fetch this one, from there; the same again only moves the source.

        While an install waits for the disk, nothing: a newer file would take the place of the one
        that it needs. The offer comes again.
        """
        if self._kernel.persisted_ticket < self._installing:
            return
        self._source = source
        if snapshot == self.wanted:
            return
        self.wanted, self._asked, self.size = snapshot, None, 0
        self._observer.note(
            "info", "snapshot_wanted", offset=snapshot.position.offset,
            size_bytes=snapshot.size_bytes, source=source,
        )  # fmt: skip
        self._storage.part(snapshot, 0, b"")

    def installing(self, ticket: int) -> None:
        """What was fetched is being installed, until the disk has this ticket."""
        self._installing = ticket

    def forget(self) -> None:
        """It isn't needed any more; what is there of it stays for the next time."""
        self.wanted = self._asked = None

    def stored(self, snapshot: SnapshotMeta, size: int, state: bytes | None) -> None:
        """So much of it is on disk; state: of a whole one, proven.

        A whole one that was not what it should be has begun anew, at 0.
        """
        if snapshot != self.wanted:
            return
        resumed = size and not self.size and self._asked is None
        self.size = size
        if state is None:
            if resumed:
                self._observer.note(
                    "info", "snapshot_resumed", offset=snapshot.position.offset, at=size
                )
            self._ask()
            return
        self.forget()
        self._observer.note("info", "snapshot_fetched", offset=snapshot.position.offset)
        self._fetched(snapshot, state)
        self._kernel.run(SnapshotFetched(snapshot))

    def received(self, answer: ChunkFetched) -> None:
        """A piece has come; what wasn't asked for, or came damaged, is asked for again."""
        wanted = self.wanted
        if wanted is None or answer.at != self._asked:
            return
        if (answer.offset, answer.digest) != (wanted.position.offset, wanted.digest):
            return
        if not answer.data or crc32c(answer.data) != answer.crc:
            return  # the source hasn't got it (any more), or the bytes are damaged: ask later
        if answer.at + len(answer.data) > wanted.size_bytes:
            return
        self._asked, self._waited_ticks = None, 0
        self._storage.part(wanted, answer.at, answer.data)

    def tick(self) -> None:
        """Ask again where an answer is overdue."""
        if self.wanted is None:
            return
        self._waited_ticks += 1
        if self._waited_ticks < ASK_AGAIN_TICKS:
            return
        if self._asked is not None:
            self._ask()
        else:  # the disk didn't say that it has the last piece: it may have had no room
            self._waited_ticks = 0
            self._storage.part(self.wanted, self.size, b"")

    def _ask(self) -> None:
        wanted, source = self.wanted, self._source
        if wanted is None or source is None:
            return
        self._asked, self._waited_ticks = self.size, 0
        question = FetchChunk(
            self._kernel.member, source, self._kernel.incarnation,
            wanted.position.offset, wanted.digest, self.size, CHUNK_BYTES,
        )  # fmt: skip
        self._kernel.network.send(source, encode(question), bulk=True)


class Serving:
    """What others fetch here."""

    def __init__(self, kernel: Kernel, storage: StoragePort) -> None:
        self._kernel = kernel
        self._storage = storage
        self._questions: dict[int, FetchChunk] = {}
        self._next = 0

    def asked(self, question: FetchChunk) -> None:
        """Read a piece for another member."""
        if len(self._questions) >= SERVED_MAX or question.at < 0:
            return
        number, self._next = self._next, self._next + 1
        self._questions[number] = question
        length = min(max(question.max_bytes, 1), CHUNK_BYTES)
        self._storage.read_chunk(
            number, Offset(question.offset), question.digest, question.at, length
        )

    def read(self, number: int, data: bytes | None) -> None:
        """The disk's answer; without one, the other member hears that there is nothing here."""
        question = self._questions.pop(number, None)
        if question is None:
            return
        found = data or b""
        answer = ChunkFetched(
            self._kernel.member, question.sender, self._kernel.incarnation,
            question.offset, question.digest, question.at, crc32c(found), found,
        )  # fmt: skip
        self._kernel.network.send(question.sender, encode(answer), bulk=True)
