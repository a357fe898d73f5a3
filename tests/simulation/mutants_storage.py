"""Known bugs of storage: what is synced before what, what a start believes, snapshots, installs.

Decides: the pieces of source, and what a plausible mistake would have written there.
Must not know: how a bug shows. Read next: mutation.py, mutants_callers.py.
"""

from typing import Final

from tests.simulation.mutation import Edit, Mutant

DURABLE: Final = (
    Mutant(
        "the vote is not written",
        "PySyncObj #84; hashicorp/raft #661",
        (
            Edit(
                "storage/hardstate.py",
                "copy = _Copy(self._copy.member, self._copy.number + 1, state)",
                "copy = _Copy(\n"
                "            self._copy.member, self._copy.number + 1,\n"
                "            HardState(state.current_term, None),\n"
                "        )",
            ),
        ),
        shows="vote not persisted",
        scenario="a_voter_dies_between_two_candidates",
    ),
    Mutant(
        "term and vote are written and not synced",
        "PySyncObj #84, PR #202",
        (Edit("storage/hardstate.py", "            file.sync(Sync.VOTE)\n", ""),),
        shows="vote not persisted",
    ),
    Mutant(
        "a block is written and not synced",
        "KAFKA-10533",
        (
            Edit(
                "storage/log.py",
                "self._opened.file.sync(Sync.BLOCK if entries else Sync.MARK)",
                "entries or self._opened.file.sync(Sync.MARK)",
            ),
        ),
        shows="ack before fsync",
    ),
    Mutant(
        "what a start finds above the mark counts unsynced: the page cache is taken for the disk",
        "design 3, Storage; ATC 2020 fsync failures",
        (Edit("storage/segment.py", "    file.sync(Sync.SEGMENT)\n", ""),),
    ),
    Mutant(
        "entries are written before their term is",
        "OmniRaft io_ordering.md; design 3, Storage",
        (
            Edit(
                "storage/store.py",
                "            if merged.hard_state is not None:\n"
                "                self._hard_state.save(merged.hard_state)\n",
                "",
            ),
            Edit(
                "storage/store.py",
                "                self._assigned().append(merged.entries)\n",
                "                self._assigned().append(merged.entries)\n"
                "            if merged.hard_state is not None:\n"
                "                self._hard_state.save(merged.hard_state)\n",
            ),
        ),
    ),
    Mutant(
        "a torn tail passes, since nobody looks at its checksum",
        "design 3, Storage; LogCabin #160",
        (
            Edit(
                "frames/decode.py",
                "if crc32c(frame[batch.at + BATCH_CHECKED_AT : batch.end]) != batch.crc:",
                "if len(frame) < batch.end:",
            ),
        ),
        shows="torn tail taken for valid",
    ),
    Mutant(
        "a mark says of its own block that it is durable",
        "design 3, Storage: the mark",
        (
            Edit(
                "storage/log.py",
                "            tail=tail,\n            mark=tail.position,\n",
                "            tail=tail,\n            mark=entries[-1].position,\n",
            ),
        ),
        shows="mark",
    ),
    Mutant(
        "a log is shortened before its mark is lowered",
        "design 3, Storage: truncation",
        (
            Edit(
                "storage/log.py",
                "        self._begin(cut.tail, restart=restart, unproven=cut.lost)\n"
                "        self.view = View(cut.kept, self._opened.segment, "
                "self.view.generation + 1, Cursors())\n"
                "        self._remove(tuple(reversed(dropped)))\n"
                "        if cut.kept and not cut.kept[-1].holes:\n"
                "            seal(self._disk, cut.kept[-1])\n",
                "        self._remove(tuple(reversed(dropped)))\n"
                "        if cut.kept and not cut.kept[-1].holes:\n"
                "            seal(self._disk, cut.kept[-1])\n"
                "        self._begin(cut.tail, restart=restart, unproven=cut.lost)\n"
                "        self.view = View(cut.kept, self._opened.segment, "
                "self.view.generation + 1, Cursors())\n",
            ),
        ),
        shows="truncation",
    ),
    Mutant(
        "a fresh segment takes entries before its name is durable",
        "design 3, Storage: truncation; raft-wal #33",
        (Edit("storage/segment.py", "    disk.sync_directory(Sync.SEGMENT_NAME)\n", ""),),
        shows="truncation",
    ),
)  # fmt: skip

SNAPSHOTS: Final = (
    Mutant(
        "an install touches the log before it says that it will",
        "design 3, Snapshots and trim; ZK-2872",
        (
            Edit(
                "storage/store.py",
                "            save_start(self._disk, Start(self._start.base, installing=meta))\n",
                "",
            ),
        ),
        shows="install",
    ),
    Mutant(
        "an install that was cut off is not finished at the start",
        "design 3, Snapshots and trim; ZK-2872",
        (
            Edit(
                "storage/path.py",
                "    if meta is None:\n        return Ground(start, found)\n",
                "    if meta is None or start.known:\n"
                "        return Ground(Start(base=start.base), found)\n",
            ),
        ),
        shows="install",
    ),
    Mutant(
        "a snapshot counts before it is synced",
        "design 3, Snapshots and trim; RATIS-2430",
        (Edit("storage/snapshots.py", "        file.sync(Sync.SNAPSHOT)\n", ""),),
        shows="install",
    ),
    Mutant(
        "segments go before the start says so",
        "design 3, Snapshots and trim: release",
        (
            Edit(
                "storage/store.py",
                "                self._start = Start(max(up_to, self._start.base, "
                "key=lambda each: each.offset))\n"
                "                save_start(self._disk, self._start)\n",
                "",
            ),
            Edit(
                "storage/store.py",
                "            self._remove_released(_REMOVED_AT_ONCE)\n",
                "            self._remove_released(_REMOVED_AT_ONCE)\n"
                "            if log.start.position.offset > self._start.base.offset:\n"
                "                self._start = Start(max(up_to, self._start.base, "
                "key=lambda each: each.offset))\n"
                "                save_start(self._disk, self._start)\n",
            ),
        ),
    ),
    Mutant(
        "a second copy of a snapshot counts before its name is durable",
        "design 3, Snapshots and trim",
        (
            Edit(
                "storage/kept.py",
                "snapshot_name(covering[0]), copy_name(covering[0]))\n"
                "            self._disk.sync_directory(Sync.SNAPSHOT_NAME)\n",
                "snapshot_name(covering[0]), copy_name(covering[0]))\n",
            ),
        ),
        shows="install",
    ),
    Mutant(
        "segments go that no snapshot stands for",
        "KAFKA-14238",
        (
            Edit(
                "storage/store.py",
                "for segment in log.release(up_to.offset):",
                "for segment in log.release(Offset(log_start - 1)):",
            ),
        ),
    ),
    Mutant(
        "a fetched snapshot takes the place of a log that goes further",
        "paper figure 13, step 6; openraft #1892",
        (
            Edit(
                "raft/snapshots.py",
                "        if self._holds(snapshot.position):\n            return\n",
                "",
            ),
        ),
    ),
    Mutant(
        "a snapshot leaves out the outgoing half of a joint membership",
        "etcd-raft e515a67",
        (
            Edit(
                "driver/building.py", "        configuration=state.configuration,\n",
                "        configuration=state.configuration.__class__(\n"
                "            voters=state.configuration.voters,\n"
                "            learners=state.configuration.learners,\n"
                "            target=state.configuration.target,\n"
                "            target_reached=state.configuration.target_reached,\n"
                "            done=state.configuration.done,\n"
                "            removed=state.configuration.removed,\n"
                "        ),\n",
            ),
        ),
        shows="dropped joint half in a snapshot",
    ),
    Mutant(
        "sessions are left out of a snapshot",
        "NATS #8106",
        (
            Edit(
                "state/applied.py",
                "tuple(self.sessions[key] for key in sorted(self.sessions)),",
                "(),",
            ),
        ),
        shows="dedup state outside the snapshot",
    ),
)  # fmt: skip

REPAIR: Final = (
    Mutant(
        "a repaired segment takes its name before it is synced",
        "design 3, Storage: holes",
        (Edit("storage/repair.py", "            new.sync(Sync.REPAIR)\n", ""),),
    ),
)

STORAGE: Final = (*DURABLE, *SNAPSHOTS, *REPAIR)
