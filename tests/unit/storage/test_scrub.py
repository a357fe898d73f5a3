"""The scrub looks at everything once in a round, at its rate, and goes on behind what is bad."""

from replog_node.model.positions import Offset
from replog_node.storage.errors import LogDamaged, StorageError
from replog_node.storage.scrub import REST_S, Scrub
from tests.unit.storage.building import opened
from tests.unit.storage.test_damage import ENTRIES, segments, written

BYTES = sum(entry.size_bytes for entry in ENTRIES)


def a_round(scrub: Scrub) -> tuple[int, float, list[StorageError]]:
    """Step until it rests; returns the bytes it read, the seconds it took, what it found."""
    size, seconds, found = 0, 0.0, list[StorageError]()
    while (step := scrub.step()).wait_s < REST_S:
        size, seconds = size + step.size_bytes, seconds + step.wait_s
        found += [step.problem] if step.problem is not None else []
    return size, seconds, found


def test_a_sound_log_is_read_whole_at_the_rate_that_is_set() -> None:
    scrub = Scrub(opened(written(idle=True)), 1000)
    for _ in range(2):
        size, seconds, found = a_round(scrub)
        assert (size, found) == (BYTES, [])
        assert abs(seconds - BYTES / 1000) < 0.001


def test_without_a_rate_nothing_is_read() -> None:
    assert Scrub(opened(written(idle=True)), 0).step() == (0, None, REST_S)


def test_damage_is_told_and_what_is_behind_it_looked_at() -> None:
    disk = written(idle=True)
    store = opened(disk)
    for at in (1, 5):
        name = next(n for n in segments(disk) if ENTRIES[at].frame in disk.content(n))
        disk.damage(name, disk.content(name).index(ENTRIES[at].frame) + 70, b"rot")
    scrub, found = Scrub(store, 1 << 20), list[Offset]()
    while (step := scrub.step()).wait_s < REST_S:
        if isinstance(step.problem, LogDamaged):
            found.append(step.problem.offset)
            examined = store.examine(step.problem.segment)
            assert examined is not None
            store.damaged(examined)
    assert found == [ENTRIES[1].base, ENTRIES[5].base]
    size, _, known = a_round(scrub)
    assert size == BYTES - ENTRIES[1].size_bytes - ENTRIES[5].size_bytes
    assert len(known) == 2


def test_a_read_that_fails_once_doesn_t_hold_it_up() -> None:
    disk = written(idle=True)
    scrub = Scrub(opened(disk), 1 << 20)
    first = segments(disk)[0]
    disk.fail = lambda call: "bad sector" if call == f"read {first}" else None
    size, _, found = a_round(scrub)
    assert 0 < size < BYTES and len(found) == 1
