"""Each sync is needed: without it, and it alone, a power loss takes something that was promised."""

from collections.abc import Callable
from random import Random

import pytest

from replog_node.storage.disk import Sync
from tests.support.simdisk import SimDisk, SyncSite
from tests.unit.storage.building import CLOCK, CLUSTER, LINEAGE, appending, chained, data, opened
from tests.unit.storage.crashing import (
    Lost,
    Step,
    crashes,
    power_fails,
    power_fails_and_a_copy_rots,
    rolling,
    run,
    survive,
    trimming,
    truncating,
)

TRIES = 24
"""Random outcomes of a power loss at each operation, until one of them shows the loss."""

SITES = [
    SyncSite(Sync.BLOCK),
    SyncSite(Sync.SEGMENT),
    SyncSite(Sync.SEGMENT_NAME),
    SyncSite(Sync.NEW_VOTE),
    SyncSite(Sync.VOTE, "hardstate.a"),
    SyncSite(Sync.VOTE, "hardstate.b"),
    SyncSite(Sync.RENEWED_VOTE),
    SyncSite(Sync.MEMBER_NAMES),
    SyncSite(Sync.IDENTITY),
    SyncSite(Sync.IDENTITY_NAME),
    SyncSite(Sync.SNAPSHOT),
    SyncSite(Sync.SNAPSHOT_NAME),
    SyncSite(Sync.START),
    SyncSite(Sync.START_NAME),
]


def beginning() -> list[Step]:
    """A new member's first steps, over and over: what is needed there is rarely lost later."""
    return truncating()[:1]


SCRIPTS = {
    Sync.MEMBER_NAMES: beginning,
    Sync.SNAPSHOT: trimming,
    Sync.SNAPSHOT_NAME: trimming,
    Sync.START: trimming,
    Sync.START_NAME: trimming,
}
"""Where a sync is needed, if not in `truncating`."""


def search_for_a_loss(script: Callable[[], list[Step]], *left_out: SyncSite) -> None:
    """Crash the script everywhere without these syncs; raise Lost when something is lost."""
    found = list(crashes(script(), left_out))
    for seed in range(TRIES):
        for crash in found:
            for happens in (power_fails, power_fails_and_a_copy_rots):
                survive(crash, happens, Random(f"{crash.at} {seed}"))


@pytest.mark.parametrize("site", SITES, ids=lambda site: f"{site.why.name} {site.copy}".strip())
def test_leaving_out_one_sync_loses_something(site: SyncSite) -> None:
    with pytest.raises(Lost):
        search_for_a_loss(SCRIPTS.get(site.why, truncating), site)


def test_with_all_syncs_the_same_search_finds_no_loss() -> None:
    search_for_a_loss(beginning)


def rot_behind_an_idle_mark_is_known(seed: int, *left_out: SyncSite) -> bool:
    """Mark an idle log, lose power, let its last entry rot; return whether the start says so."""
    disk = SimDisk()
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    store.write([appending(*chained([CLOCK, data(900)]))])
    disk.left_out = frozenset(left_out)
    store.write_idle_mark()
    disk.lose_power(Random(seed))
    name = next(name for name in disk.names() if name.endswith(".seg"))
    disk.damage(name, disk.content(name).index(b"aaaaaaaa"), b"b")
    return opened(disk).unproven is not None


def test_an_idle_mark_makes_rot_of_the_last_entry_known_whatever_a_power_loss_keeps() -> None:
    assert all(rot_behind_an_idle_mark_is_known(seed) for seed in range(20))


def test_leaving_out_the_sync_of_an_idle_mark_lets_rot_pass_for_a_torn_write() -> None:
    mark = SyncSite(Sync.MARK)
    assert not all(rot_behind_an_idle_mark_is_known(seed, mark) for seed in range(20))


def test_the_scripts_make_every_sync_that_there_is() -> None:
    made: set[SyncSite] = set()
    for script in (rolling, truncating, trimming):
        disk = SimDisk()
        run(disk, script())
        made |= set(disk.syncs)
    of_repair = {SyncSite(Sync.REPAIR), SyncSite(Sync.REPAIR_NAME)}  # see test_repair.py
    assert made == {*SITES, SyncSite(Sync.MARK)}
    made |= of_repair
    assert {site.why for site in made} == set(Sync)
