"""All known bugs that are put back: what the simulation must catch, or it proves little.

Decides: which rows there must be, and which bugs no seed shows yet. Must not know: how a bug is put
in, run, or seen.
Read next: mutation.py, mutants_raft.py, mutants_storage.py, mutants_callers.py.
"""

from dataclasses import replace
from typing import Final

from tests.simulation.mutants_callers import CALLERS
from tests.simulation.mutants_raft import RAFT
from tests.simulation.mutants_storage import STORAGE
from tests.simulation.mutation import Mutant

WANTED: Final = (
    "old-term commit", "commit going backward", "vote not persisted", "ack before fsync",
    "unsorted quorum", "stale ReadIndex context", "dropped joint half in a snapshot",
    "torn tail taken for valid", "dedup state outside the snapshot",
    "mark", "truncation", "install", "parking", "hole", "lineage", "head state", "log time",
)  # fmt: skip
"""The bugs by name, and the design's ordering rules: each has a mutant at least."""

TRIED: Final = "none of 50 seeds"
"""All seeds were tried."""

EARLIER: Final = "none of 50 seeds before the faults were made harsher, not tried to the end since"

OTHERS: Final = "no other test has been seen to fail of it"

UNSEEN: Final[dict[str, tuple[str, str]]] = {
    "a write counts although it was overwritten while under way": (TRIED, OTHERS),
    "a joint change asks only the new half to elect": (EARLIER, "its scenario fails"),
    "a membership's next step is taken before the last is committed": (
        EARLIER,
        "`tests/unit/raft/test_membership.py"
        "::test_a_configuration_takes_effect_on_append_and_reverts_when_it_is_cut_off` fails",
    ),
    "a configuration that was cut off stays in force": (
        EARLIER,
        "`tests/unit/raft/test_membership.py"
        "::test_a_configuration_takes_effect_on_append_and_reverts_when_it_is_cut_off` fails",
    ),
    "entries are written before their term is": ("none of 30 seeds of the focus crashes", OTHERS),
    "an install touches the log before it says that it will": (EARLIER, OTHERS),
    "an install that was cut off is not finished at the start": (
        EARLIER,
        "`tests/unit/storage/test_snapshots.py::test_damage_of_the_file_start_is_no_loss` fails",
    ),
    "segments go before the start says so": (EARLIER, OTHERS),
    "a fetched snapshot takes the place of a log that goes further": (
        EARLIER,
        "`tests/unit/raft/test_snapshots.py"
        "::test_what_was_fetched_when_the_log_holds_it_already_changes_nothing` fails",
    ),
    "a refusal by what the log holds is told without asking a quorum": (
        "none of 30 seeds of the focus sleepers, none of 25 of reads",
        "`tests/unit/driver/test_verdicts.py"
        "::test_a_deposed_leader_refuses_nothing_by_what_it_knew` fails",
    ),
    "the last record of a lost lead is remembered": (
        "none of 25 seeds of the focus elections, none of 30 of sleepers",
        OTHERS,
    ),
    "head state outlives the lead": (EARLIER, "its scenario fails"),
    "what the disk gave is applied, whoever wrote it": (EARLIER, "its scenario fails"),
    "an entry's outcome is told by its offset alone": (EARLIER, "its scenario fails"),
}
"""What no seed has shown: which were tried, and what else sees the bug. Each is a gap."""


FOCUS: Final[dict[str, str]] = {
    "a read is confirmed by a round that began before it": "reads",
    "a member acknowledges what lies behind its first hole": "holes",
    "a member with a hole leads": "holes",
    "a member that has lost the end of its log votes": "holes",
    "a repaired segment takes its name before it is synced": "holes",
    "a torn tail passes, since nobody looks at its checksum": "torn",
    "two candidates get a vote in one term": "elections",
    "a new leader confirms reads before it knows what is committed": "votes",
    "voters compare how long logs are, not their last terms": "crashes",
    "votes of others than voters count": "membership",
    "a read is confirmed without a quorum": "minority",
    "a log is shortened before its mark is lowered": "crashes",
    "a target that was set before is answered before it is committed": "operators",
    "a member of another life of the log is let in": "strangers",
    "a fenced member goes on voting and leading": "strangers",
}
"""Where a bug lives, if not among the swarm's own seeds (profiles.FOCUSES)."""


def _placed(mutant: Mutant) -> Mutant:
    gap = "; ".join(UNSEEN.get(mutant.name, ()))
    return replace(mutant, unseen=gap, focus=FOCUS.get(mutant.name, ""))


MUTANTS: Final[tuple[Mutant, ...]] = tuple(
    _placed(mutant) for mutant in (*RAFT, *STORAGE, *CALLERS)
)
