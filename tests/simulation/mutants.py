"""All known bugs that are put back: what the simulation must catch, or it proves little.

Decides: which rows there must be. Must not know: how a bug is put in, run, or seen.
Read next: mutation.py, mutants_raft.py, mutants_storage.py, mutants_callers.py.
"""

from typing import Final

from tests.simulation.mutants_callers import CALLERS
from tests.simulation.mutants_raft import RAFT
from tests.simulation.mutants_storage import STORAGE
from tests.simulation.mutation import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (*RAFT, *STORAGE, *CALLERS)

WANTED: Final = (
    "old-term commit", "commit going backward", "vote not persisted", "ack before fsync",
    "unsorted quorum", "stale ReadIndex context", "dropped joint half in a snapshot",
    "torn tail taken for valid", "dedup state outside the snapshot",
    "mark", "truncation", "install", "parking", "hole", "lineage", "head state", "log time",
)  # fmt: skip
"""The bugs by name, and the design's ordering rules: each has a mutant at least."""
