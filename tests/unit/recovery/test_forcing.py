"""A new life of the log begins, whatever crashes on the way."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice, product
from random import Random

import pytest
from msgspec.structs import replace

from replog.wire.schemas import MemberAddress, TargetRequest
from replog_node.model.positions import Offset
from replog_node.recovery.forcing import OrderOutdated, finish
from replog_node.recovery.record import FENCE_NAME, Fence, Force, load_fence, save_fence
from replog_node.storage.disk import DiskError
from replog_node.storage.errors import IdentityDamaged, StorageError
from replog_node.storage.identity import load_identity
from replog_node.storage.snapshots import is_snapshot
from replog_node.storage.store import Store, open_store
from tests.support.simdisk import Crashed, SimDisk
from tests.unit.driver.rig import STORE
from tests.unit.recovery.forcing import (
    NEXT,
    OPERATION,
    Ordered,
    check_forced,
    check_not_begun,
    ordered,
    start,
    survivor,
    went_on,
)

OUTCOMES = 3
"""Of a power loss, at each operation."""

OPERATIONS_OF_END = 60
"""What there is left to do once the identity is of the new life, at most."""


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "trimmed"])
def before(request: pytest.FixtureRequest) -> Ordered:
    """A member that is to go on alone; its disk is copied by who changes it."""
    found = ordered(survivor(trimmed=request.param))
    assert len(found.states) == 2 * request.param
    return found


def crashes(before: Ordered) -> Iterator[SimDisk]:
    """The disk after a crash at each operation of the start."""
    for operation in range(1, 10_000):
        disk = before.disk.copy()
        disk.restart()
        disk.crash_at = operation
        disk.crash_random = Random(operation)
        try:
            start(disk, operation)
        except Crashed:
            yield disk
        else:
            assert operation > 100
            return


def test_the_order_is_carried_out_at_the_start(before: Ordered) -> None:
    disk = before.disk.copy()
    check_forced(before, *start(disk))
    disk.restart()
    check_forced(before, *start(disk))


def test_a_crash_of_the_process_at_any_operation_is_made_good_by_the_next_start(
    before: Ordered,
) -> None:
    for disk in crashes(before):
        disk.restart()
        check_forced(before, *start(disk, 7))


def test_a_power_loss_at_any_operation_is_made_good_by_the_next_start(before: Ordered) -> None:
    for disk in crashes(before):
        at = disk.crash_at
        for seed in range(OUTCOMES):
            lost = disk.copy()
            lost.lose_power(Random(f"{at} {seed}"))
            check_forced(before, *start(lost, 7))


def test_two_crashes_are_no_worse_than_one(before: Ordered) -> None:
    random = Random(11)
    for disk in crashes(before):
        disk.lose_power(random)
        disk.crash_at = random.randrange(1, 200)
        with suppress(Crashed):
            start(disk, 5)
        disk.lose_power(random)
        check_forced(before, *start(disk, 7))


def test_names_that_only_the_page_cache_has_are_not_built_upon(before: Ordered) -> None:
    """The process died before it synced them; the next one does, before it depends on them."""
    renamed = (disk for disk in crashes(before) if _is_next(disk))
    for disk in islice(renamed, 2):
        disk.restart()
        for at, seed in product(range(1, OPERATIONS_OF_END), range(10)):
            again = disk.copy()
            again.crash_at = at
            with suppress(Crashed):
                finish(lambda disk=again: disk, load_fence(again), STORE, lambda: 5)  # type: ignore[misc]
            again.lose_power(Random(f"{at} {seed}"))
            check_forced(before, *start(again, 7))


def _is_next(disk: SimDisk) -> bool:
    found = disk.copy()
    found.restart()
    return load_identity(found).lineage == NEXT


def test_a_disk_that_fails_at_any_operation_leaves_the_order_to_the_next_start(
    before: Ordered,
) -> None:
    refused = 0
    for operation in range(1, 10_000):
        disk = before.disk.copy()
        disk.restart()
        left = [operation]
        disk.fail = partial(_once, left)
        try:
            start(disk, operation)
        except (StorageError, DiskError):
            refused += 1
        disk.fail = None
        disk.lose_power(Random(operation))
        check_forced(before, *start(disk, 7))
        if left[0] > 0:
            break
    assert refused > 100


def _once(left: list[int], _what: str) -> str | None:
    left[0] -= 1
    return "it failed" if left[0] == 0 else None


@pytest.mark.parametrize("trimmed", [False, True])
def test_the_member_leads_alone_and_serves_all_that_it_had(trimmed: bool) -> None:
    went_on(survivor(trimmed=trimmed))


def test_a_member_of_the_former_life_is_no_target() -> None:
    node = survivor(trimmed=False)
    before = went_on(node)
    at = node.driver.status("", {}).configuration_offset
    members = [MemberAddress(each, "n:1") for each in (before.member, before.others[0])]
    refusal = node.call(TargetRequest(members, "again", at))
    node.rig.tick(2)
    assert refusal.codes == ["invalid_target"]


def test_a_log_that_ends_otherwise_is_left_alone_and_the_fence_stays(before: Ordered) -> None:
    disk = before.disk.copy()
    outdated = Fence(operation=OPERATION, force=_ending_elsewhere(before))
    save_fence(disk, outdated)
    with pytest.raises(OrderOutdated, match="the log ends at"):
        start(disk)
    disk.restart()
    assert load_fence(disk) == Fence(operation=OPERATION)
    check_not_begun(before, start(disk)[1])


def _ending_elsewhere(before: Ordered) -> Force:
    force = before.fence.force
    assert force is not None
    position = force.position._replace(offset=Offset(force.position.offset - 1))
    return replace(force, position=position)


def test_a_rotten_snapshot_is_no_hindrance(before: Ordered) -> None:
    """The base has a copy, and the log doesn't need the newer one."""
    for name in filter(is_snapshot, before.disk.copy().names()):
        disk = before.disk.copy()
        disk.damage(name, len(disk.content(name)) - 100, b"rot")
        check_rotten(*start(disk))


def check_rotten(fence: Fence, store: Store) -> None:
    assert store.recovered.lineage == NEXT
    assert {meta.lineage for meta in store.snapshots} == {NEXT}
    assert fence.force is None and fence.operation == ""


def test_a_fence_file_that_cannot_be_read_ends_the_start(before: Ordered) -> None:
    disk = before.disk.copy()
    disk.damage(FENCE_NAME, 20, b"rot")
    with pytest.raises(IdentityDamaged, match="fence"):
        start(disk)


def test_a_fence_that_a_start_has_seen_is_durable(before: Ordered) -> None:
    """It may have been in the page cache only, when the process that wrote it died."""
    disk = SimDisk()
    open_store(disk, STORE, new_member_id=lambda: before.member, random64=lambda: 1).close()
    disk.fail = lambda what: "no" if what.startswith("sync_directory the identity") else None
    with pytest.raises(DiskError):
        save_fence(disk, Fence(operation="o"))
    disk.fail = None
    disk.restart()
    if load_fence(disk).operation:
        disk.lose_power(Random(1), kept=0)
        assert load_fence(disk) == Fence(operation="o")
