"""The members' processes, kept as the state says: what a StatefulSet and its kubelet are elsewhere.

One *slot* an ordinal; what runs in it is of one template until another slot takes its place.

Decides: which slots begin and end, and what becomes of a directory that is given up: it is put
aside, never deleted. Must not know: why there are so many (planner), how one is kept (process.py).
Read next: process.py, state.py.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from replog_operator.local.directory import aside_of, member_directory
from replog_operator.local.notes import ClaimNote, ProcessNote
from replog_operator.local.process import Member, free_name
from replog_operator.local.settings import UpSettings
from replog_operator.local.state import StateFile, new_uid, sync_directory
from replog_operator.model.observed import PodState

STOP_S: Final = 15.0
"""From SIGTERM to SIGKILL: a node is given 10 s to drain (shutdown_grace_ms)."""
LOOP_AFTER: Final = 3
"""Deaths in a row after which a process is said to be in a loop of them."""
ASIDE_MOST: Final = 64
"""Directories that were given up and are kept; at the bound nothing more is given up."""


class TooManyAside(Exception):
    """ASIDE_MOST directories are kept already; the message says what to do."""


class Slot:
    """One ordinal's process and those that are started in its place when it dies."""

    def __init__(self, note: ProcessNote, member: Member, reach: Callable[[str], None]) -> None:
        self.note = note
        self.member = member
        self.stopping = False
        self.state = PodState.STARTING
        self.since_s = note.created_s
        self._reach = reach
        self.run = asyncio.create_task(member.run())
        self._stop: asyncio.Task[None] | None = None

    def see(self, state: PodState, now_s: float) -> None:
        """Be in this state from now on, if it is another one."""
        if state is not self.state:
            self.state, self.since_s = state, now_s

    def stop(self) -> None:
        """Have it end: SIGTERM, and SIGKILL when that is not followed in time."""
        if not self.stopping:
            self.stopping = True
            self._reach("before-stop")
            self.member.begin_stop()
            self._reach("after-stop")
            self._stop = asyncio.create_task(self._killed_late())

    async def _killed_late(self) -> None:
        await asyncio.wait({self.run}, timeout=STOP_S)
        if not self.run.done():
            self.member.kill()


class Processes:
    """All slots. settle() makes them what the state says; it is called again and again."""

    def __init__(
        self,
        file: StateFile,
        settings: UpSettings,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        leads_without: Callable[[int], bool],
        reach: Callable[[str], None],
    ) -> None:
        """leads_without: whether the log is led and takes appends without this ordinal."""
        self._file = file
        self._settings = settings
        self._environment = environment
        self._tell = tell
        self._leads_without = leads_without
        self._reach = reach
        self.slots: dict[int, Slot] = {}

    def settle(self) -> None:
        """Begin and end what should be. Raises OSError, TooManyAside: the next call goes on."""
        workload = self._file.now.workload
        replicas = 0 if workload is None else workload.replicas
        for ordinal, slot in sorted(self.slots.items()):
            if slot.stopping and slot.run.done():
                self._remove(ordinal)
            elif ordinal >= replicas:
                slot.stop()
        for ordinal in range(replicas):
            if ordinal not in self.slots:
                self._begin(ordinal)

    def give_up(self, ordinal: int) -> None:
        """Put a member's directory aside; it begins anew. At once, or when its process has ended.

        Raises OSError, TooManyAside.
        """
        if len(aside_of(self._settings.data_dir)) >= ASIDE_MOST:
            raise TooManyAside(
                f"{ASIDE_MOST} directories that were given up are kept in "
                f"{self._settings.data_dir}: remove those that nobody needs"
            )
        if ordinal in self.slots:
            self._note_claim(ordinal, terminating=True)
            return
        directory = member_directory(self._settings.data_dir, ordinal)
        if directory.exists():
            aside = free_name(directory)
            self._reach("before-aside")
            directory.rename(aside)
            sync_directory(self._settings.data_dir)
            self._reach("after-aside")
            self._tell(f"what member-{ordinal} had is kept in {aside}")
        state = self._file.now
        claims = {at: claim for at, claim in state.claims.items() if at != ordinal}
        self._file.save(replace(state, claims=claims))

    def _note_claim(self, ordinal: int, *, terminating: bool) -> None:
        state = self._file.now
        claim = state.claims[ordinal]
        noted = replace(claim, terminating=terminating, version=claim.version + 1)
        self._file.save(replace(state, claims={**state.claims, ordinal: noted}))

    def _remove(self, ordinal: int) -> None:
        del self.slots[ordinal]
        state = self._file.now
        left = {at: note for at, note in state.processes.items() if at != ordinal}
        self._file.save(replace(state, processes=left))

    def _begin(self, ordinal: int) -> None:
        claim = self._file.now.claims.get(ordinal)
        if claim is not None and claim.terminating:
            self.give_up(ordinal)
        state = self._file.now
        workload = state.workload
        if workload is None:
            return
        directory = member_directory(self._settings.data_dir, ordinal)
        claims = dict(state.claims)
        claims.setdefault(ordinal, _new_claim(directory, state.cluster_id))
        note = ProcessNote(new_uid(), workload.template, time.time())
        processes = {**state.processes, ordinal: note}
        self._file.save(replace(state, claims=claims, processes=processes))
        template = self._file.now.templates[workload.template]
        member = Member(
            f"member-{ordinal}",
            self._settings.command(ordinal, template, workload.replicas),
            directory,
            self._environment,
            self._tell,
            lambda: self._leads_without(ordinal),
        )
        self._reach("before-start")
        self.slots[ordinal] = Slot(note, member, self._reach)
        self._reach("after-start")


def _new_claim(directory: Path, cluster_id: str) -> ClaimNote:
    """Of a directory that is there nobody knows whose it is; one that is not will be empty."""
    return ClaimNote(new_uid(), cluster_id="" if directory.exists() else cluster_id)
