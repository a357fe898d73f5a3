"""What rots is never served, and never taken for a torn write if it was known to be durable."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import msgspec
import pytest
from google_crc32c import value as crc32c

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.storage.blocks import BLOCK_HEADER_BYTES, encode_block
from replog_node.storage.disk import Sync
from replog_node.storage.errors import (
    FormatUnknown,
    IdentityDamaged,
    LogDamaged,
    StorageError,
    StorageFailed,
    VoteStateLost,
)
from replog_node.storage.segment import read_header
from replog_node.storage.store import Store
from replog_node.storage.summary import Hole, find_summary
from tests.support.simdisk import Crashed, SimDisk
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    appending,
    chained,
    configured,
    cutting,
    data,
    holding,
    opened,
    voting,
    whole_log,
)

ENTRIES = chained([CLOCK, data(500), configured("a"), data(900), data(2500), data(300), data(700)])


def written(*, idle: bool, entries: tuple[Entry, ...] = ENTRIES) -> SimDisk:
    """Return a disk with these entries, one write each, whose process is gone."""
    disk = SimDisk()
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    for entry in entries:
        store.write([appending(entry)])
    store.write([voting(3, "m1")])
    if idle:
        store.write_idle_mark()
    disk.restart()
    return disk


def segments(disk: SimDisk) -> list[str]:
    return [name for name in disk.names() if name.endswith(".seg")]


def flipped(disk: SimDisk, name: str, at: int) -> SimDisk:
    """Return a copy of the disk in which one bit of a file has rotted."""
    rotten = disk.copy()
    rotten.damage(name, at, bytes([disk.content(name)[at] ^ 0x10]))
    return rotten


class Found(NamedTuple):
    """What a start finds. readable: every entry that can be read, wherever it lies."""

    readable: tuple[Entry, ...]
    holes: tuple[Hole, ...]
    unproven: Position | None


def found_in(disk: SimDisk) -> Found:
    """Start, and read everything there is, around the holes."""
    return found_by(opened(disk))


def found_by(store: Store) -> Found:
    """Read everything there is, around the holes."""
    readable: list[Entry] = []
    at = 0
    while at <= store.tail.position.offset:
        hole = next((hole for hole in store.holes if hole.start == at), None)
        if hole is not None:
            with pytest.raises(LogDamaged, match="are lost"):
                store.read(Offset(at), 1)
            at = hole.end + 1
            continue
        more = store.read(Offset(at), 1 << 30)
        assert more, at
        readable += more
        at = more[-1].last + 1
    return Found(tuple(readable), store.holes, store.unproven)


def check(found: Found, *, torn: int = 0) -> None:
    """What is read was written; what was written and isn't read is known to be lost.

    torn: so many last entries may be missing unknown: where their mark rots too.
    """
    known = [entry for hole in found.holes for entry in between(hole.start, hole.end)]
    kept = sorted([*found.readable, *known], key=lambda entry: entry.base)
    assert kept == list(ENTRIES[: len(kept)])
    if len(kept) < len(ENTRIES) - torn:
        assert found.unproven is not None and found.unproven.offset >= ENTRIES[-1].last


def between(start: int, end: int) -> list[Entry]:
    return [entry for entry in ENTRIES if start <= entry.base and entry.last <= end]


def used_bytes(disk: SimDisk, name: str) -> range:
    """Return every 37th byte of a file up to where its zeros begin."""
    return range(0, len(disk.content(name).rstrip(b"\0")), 37)


@pytest.mark.parametrize("which", [0, 1, 2, -1])
@pytest.mark.parametrize("summary", [True, False])
def test_a_flipped_bit_anywhere_below_the_mark_is_a_hole_or_an_unproven_end(
    which: int, summary: bool
) -> None:
    disk = written(idle=True)
    name = segments(disk)[which]
    if not summary:
        disk.vanish(name.replace(".seg", ".sum"))
    harmed = 0
    for at in used_bytes(disk, name):
        rotten = flipped(disk, name, at)
        before = rotten.content(name)
        found = known_after_reading(rotten) if summary else found_in(rotten)
        check(found)
        if found.readable != ENTRIES:  # else it was in padding, or in what can be rebuilt
            harmed += 1
            assert all(hole.segment == name for hole in found.holes)
            assert not found.holes or rotten.content(name).startswith(before.rstrip(bytes(1)))
    assert harmed > len(used_bytes(disk, name)) / 2


def known_after_reading(disk: SimDisk) -> Found:
    """Start, let each segment be examined as after a read that failed, start is not repeated."""
    store = opened(disk)
    for name in segments(disk):
        examined = store.examine(name)
        if examined is not None:
            store.damaged(examined)
    return found_by(store)


def test_a_flipped_bit_in_the_last_write_that_no_mark_covers_cuts_only_that_write() -> None:
    disk = written(idle=False)
    last = segments(disk)[-1]
    at = disk.content(last).index(ENTRIES[-1].frame)
    cut = 0
    for within in range(-BLOCK_HEADER_BYTES, ENTRIES[-1].size_bytes, 13):
        found = whole_log(opened(flipped(disk, last, at + within)))
        assert found in (ENTRIES[:-1], ENTRIES)
        cut += found != ENTRIES
    assert cut > 40


def test_a_torn_first_block_of_the_last_write_cuts_that_write_though_its_second_survived() -> None:
    disk = written(idle=False, entries=ENTRIES[:1])
    store = opened(disk)
    store.write([appending(*chained([data(200)], store.tail))])
    store.write([appending(*chained([data(1300), data(300)], store.tail))])
    name = segments(disk)[-1]
    first = disk.content(name).index(b"a" * 1300) // 512 * 512
    disk.damage(name, first, bytes(512))
    disk.restart()
    assert len(whole_log(opened(disk))) == 2


@pytest.mark.parametrize("at", [1, 4])
def test_what_lies_before_damage_is_read_and_who_reads_on_is_told(at: int) -> None:
    disk = written(idle=True)
    store = opened(disk)
    name = next(n for n in segments(disk) if ENTRIES[at].frame in disk.content(n))
    disk.damage(name, disk.content(name).index(ENTRIES[at].frame) + 200, b"rot")
    assert store.read(Offset(0), 1 << 30) == ENTRIES[:at]
    with pytest.raises(LogDamaged) as caught:
        store.read(ENTRIES[at].base, 1 << 30)
    assert (caught.value.segment, caught.value.offset) == (name, ENTRIES[at].base)


def test_without_its_summary_a_finished_segment_is_proven_at_start() -> None:
    disk = written(idle=True)
    first = segments(disk)[0]
    disk.vanish(first.replace(".seg", ".sum"))
    assert whole_log(opened(disk.copy())) == ENTRIES
    disk.damage(first, disk.content(first).index(ENTRIES[1].frame) + 200, b"rot")
    found = found_in(disk)
    [hole] = found.holes
    assert (hole.segment, hole.start, hole.end) == (first, ENTRIES[1].base, ENTRIES[1].last)
    assert (hole.before, hole.after) == (tail_of(ENTRIES[0]), ENTRIES[1].chain)
    assert found.readable == (*ENTRIES[:1], *ENTRIES[2:])


@pytest.mark.parametrize("at", [20, 200])
def test_a_rotten_summary_is_written_anew(at: int) -> None:
    disk = written(idle=True)
    name = segments(disk)[0].replace(".seg", ".sum")
    sound = disk.content(name)
    disk.damage(name, at, b"rot")
    assert whole_log(opened(disk)) == ENTRIES
    assert disk.content(name) == sound


def test_a_summary_of_another_file_of_the_same_name_is_not_used() -> None:
    disk = written(idle=True)
    header = read_header(disk, segments(disk)[0], CLUSTER)
    other = msgspec.structs.replace(header, nonce=header.nonce + 1)
    assert find_summary(disk, header) is not None
    assert find_summary(disk, other) is None


def test_a_missing_segment_is_a_hole_as_far_as_the_next_one_proves_its_end() -> None:
    disk = written(idle=True)
    names = segments(disk)
    disk.vanish(names[1])
    found = found_in(disk)
    check(found)
    assert [(hole.segment, hole.start) for hole in found.holes] == [(names[0], int(names[1][:20]))]


@pytest.mark.parametrize("at", [0, 100])
def test_a_segment_whose_header_and_first_block_are_damaged_is_a_hole(at: int) -> None:
    disk = written(idle=True)
    name = segments(disk)[1]
    disk.damage(name, at, b"rot")
    disk.damage(name, 512, b"rot")
    found = found_in(disk)
    check(found)
    assert found.holes and disk.has(name + ".damaged")
    disk.restart()
    assert found_in(disk) == found


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_damaged_header_is_known_from_the_first_block(which: int) -> None:
    disk = written(idle=True)
    disk.damage(segments(disk)[which], 20, b"rot")
    for _ in range(3):
        assert found_in(disk) == Found(ENTRIES, (), None)
        disk.restart()


def test_a_header_that_was_written_over_another_one_is_known_from_the_first_block() -> None:
    """Soak, seed 100173: the member never started again."""
    disk = written(idle=True)
    first, second, *_ = segments(disk)
    disk.damage(first, 0, disk.content(second)[:512])
    for _ in range(3):
        assert found_in(disk) == Found(ENTRIES, (), None)
        disk.restart()


@pytest.mark.parametrize("sum_too", [True, False])
def test_a_missing_first_segment_is_a_hole_in_one_made_for_it(sum_too: bool) -> None:
    disk = written(idle=True)
    first, second, *_ = segments(disk)
    disk.vanish(first)
    if sum_too:
        disk.vanish(first.replace(".seg", ".sum"))
    for _ in range(3):
        found = found_in(disk)
        check(found)
        assert [(hole.start, hole.end) for hole in found.holes] == [(0, int(second[:20]) - 1)]
        disk.lose_power(Random(1))


def test_a_first_segment_whose_header_and_first_block_are_damaged_is_a_hole() -> None:
    disk = written(idle=True)
    first, second, *_ = segments(disk)
    disk.damage(first, 20, b"rot")
    disk.damage(first, 512, b"rot")
    for _ in range(3):
        found = found_in(disk)
        check(found)
        assert [(hole.start, hole.end) for hole in found.holes] == [(0, int(second[:20]) - 1)]
        disk.restart()


def test_a_missing_last_segment_makes_the_end_unproven_for_all_terms_so_far() -> None:
    disk = written(idle=True)
    disk.vanish(segments(disk)[-1])
    for _ in range(3):
        found = found_in(disk)
        check(found)
        assert found.unproven == (3, 2**63 - 1) and not found.holes
        disk.restart()


def test_without_any_segment_the_log_is_refused() -> None:
    disk = written(idle=True)
    for name in segments(disk):
        disk.vanish(name)
    with pytest.raises(LogDamaged, match="missing"):
        opened(disk)


def test_a_shortened_last_segment_makes_the_end_unproven() -> None:
    disk = written(idle=True)
    name = segments(disk)[-1]
    content = disk.content(name)
    disk.vanish(name)
    disk.create(name, 0).write(0, content[:-1])
    found = found_in(disk)
    assert found.readable == ENTRIES and found.unproven is not None


def test_a_shortened_finished_segment_has_a_hole_at_its_end() -> None:
    disk = written(idle=True)
    name = segments(disk)[0]
    content = disk.content(name)
    disk.vanish(name)
    disk.create(name, 0).write(0, content[:-100])
    found = found_in(disk)
    check(found)
    assert len(found.holes) == 1


def test_what_is_unproven_stays_so_until_the_log_has_gone_past_it() -> None:
    disk = written(idle=True)
    name = segments(disk)[-1]
    disk.damage(name, disk.content(name).index(ENTRIES[-1].frame) + 100, b"rot")
    mark = ENTRIES[-1].position
    assert found_in(disk) == Found(ENTRIES[:-1], (), mark)
    disk.restart()
    store = opened(disk)
    assert store.recovered.unproven == store.recovered.log.unproven == mark
    shorter = chained([CLOCK] * 3, store.tail)[:1]
    store.write([appending(*shorter)])
    assert store.unproven == (None if shorter[-1].position >= mark else mark)
    store.write([appending(*chained([data(1)], store.tail, term=2))])
    assert store.unproven is None
    disk.restart()
    assert opened(disk).unproven is None


def test_a_segment_of_another_cluster_or_name_is_refused() -> None:
    disk = written(idle=True)
    name = segments(disk)[-1]
    disk.rename(name, name.replace(".00", ".01"))
    with pytest.raises(LogDamaged, match="its header is of"):
        opened(disk)


def test_a_block_written_to_the_wrong_place_is_a_hole() -> None:
    disk = written(idle=True, entries=ENTRIES[:4])
    name = segments(disk)[0]
    first, third = (
        disk.content(name).index(e.frame) // 512 * 512 for e in (ENTRIES[0], ENTRIES[2])
    )
    disk.damage(name, third, disk.content(name)[first : first + 512])
    disk.vanish(name.replace(".seg", ".sum"))
    assert [(hole.start, hole.end) for hole in opened(disk).holes] == [
        (ENTRIES[2].base, ENTRIES[2].last)
    ]


def test_a_record_that_looks_like_a_block_is_not_taken_for_one_behind_a_torn_write() -> None:
    mark = Position(Term(9), Offset(999))
    forged = encode_block(nonce=1, base=3, chain=bytes(16), mark=mark)[:BLOCK_HEADER_BYTES]

    def with_padding(size: int) -> tuple[SimDisk, str, int]:
        [last] = chained([holding(bytes(600 + size) + forged)], tail_of(ENTRIES[1]))
        disk = written(idle=False, entries=(*ENTRIES[:2], last))
        name = segments(disk)[-1]
        return disk, name, disk.content(name).index(forged)

    _, _, at = with_padding(0)
    disk, name, at = with_padding(-at % 512)
    assert at % 512 == 0
    disk.damage(name, at - 1024, bytes(1024))
    assert whole_log(opened(disk)) == ENTRIES[:2]


@pytest.mark.parametrize("stale", ["hardstate.a", "hardstate.b"])
def test_a_copy_of_term_and_vote_that_missed_a_write_doesn_t_count(stale: str) -> None:
    disk = written(idle=True)
    before = disk.content(stale)
    opened(disk).write([voting(4, "m2")])
    disk.damage(stale, 0, before)
    disk.restart()
    assert opened(disk).hard_state.voted_for == "m2"


@pytest.mark.parametrize("bad", ["hardstate.a", "hardstate.b"])
def test_one_bad_copy_of_term_and_vote_is_replaced_from_the_other(bad: str) -> None:
    disk = written(idle=True)
    disk.damage(bad, 20, b"rot")
    assert opened(disk).hard_state.voted_for == "m1"
    disk.restart()
    for name in ("hardstate.a", "hardstate.b"):
        disk.vanish(name) if name != bad else None
    assert opened(disk).hard_state.voted_for == "m1"


def test_without_a_sound_copy_the_member_must_be_replaced() -> None:
    disk = written(idle=True)
    disk.damage("hardstate.a", 20, b"rot")
    disk.vanish("hardstate.b")
    with pytest.raises(VoteStateLost, match="replace member 7e57-member"):
        opened(disk)


def test_term_and_vote_of_another_member_don_t_count() -> None:
    disk, other = written(idle=True), SimDisk()
    opened(other, member=MemberId("other"))
    for name in ("hardstate.a", "hardstate.b"):
        disk.damage(name, 0, other.content(name))
    with pytest.raises(VoteStateLost):
        opened(disk)


def test_a_lost_identity_beside_a_log_is_refused() -> None:
    disk = written(idle=True)
    disk.vanish("identity")
    with pytest.raises(IdentityDamaged, match="missing"):
        opened(disk)


def test_an_identity_that_knows_of_no_cluster_beside_a_log_is_refused() -> None:
    disk, fresh = written(idle=True), SimDisk()
    opened(fresh)
    disk.damage("identity", 0, fresh.content("identity"))
    with pytest.raises(LogDamaged, match="there is a log, but the member is unassigned"):
        opened(disk)


def test_a_rotten_identity_is_refused() -> None:
    for at in range(0, 100, 7):
        disk = written(idle=True, entries=ENTRIES[:1])
        rotten = flipped(disk, "identity", at)
        with pytest.raises(IdentityDamaged):
            opened(rotten)


@pytest.mark.parametrize("name", ["identity", "hardstate.b", "segment", "summary"])
def test_a_newer_format_is_refused_by_name(name: str) -> None:
    disk = written(idle=True)
    kind = {"segment": ".seg", "summary": ".sum"}.get(name, name)
    file = next(each for each in disk.names() if each.endswith(kind))
    disk.damage(file, 0, with_format(disk.content(file), 2))
    with pytest.raises(FormatUnknown, match=f"{file} has format 2, this build knows 1"):
        opened(disk)


def with_format(content: bytes, version: int) -> bytes:
    """Return a file's envelope and body as a build with this format would write them."""
    length = int.from_bytes(content[8:12], "big")
    body = content[16 : 16 + length]
    prefix = content[:4] + version.to_bytes(2, "big") + content[6:12]
    checksum: int = crc32c(prefix + body)
    return prefix + checksum.to_bytes(4, "big") + body


def test_a_start_refuses_falling_terms_though_every_checksum_is_right() -> None:
    high = chained([CLOCK], term=5)
    disk = written(idle=True, entries=high)
    [low] = chained([CLOCK], Tail(Position(Term(1), Offset(0)), high[0].chain, 0), term=4)
    [name] = segments(disk)
    nonce = read_header(disk, name, CLUSTER).nonce
    block = encode_block(
        nonce=nonce, base=1, chain=high[0].chain, mark=high[0].position, frames=[low.frame]
    )
    disk.damage(name, len(disk.content(name).rstrip(b"\0")) // 512 * 512 + 512, block)
    with pytest.raises(LogDamaged, match="fall after") as caught:
        opened(disk)
    assert caught.value.offset == 1


def test_random_rot_never_makes_a_log_that_was_not_written() -> None:
    random = Random(5)
    disk = written(idle=True)
    names = disk.names()
    started = 0
    for _ in range(150):
        rotten = disk.copy()
        for _ in range(random.randint(1, 4)):
            name = random.choice(names)
            size = len(rotten.content(name))
            rotten.damage(name, random.randrange(size), random.randbytes(random.choice((1, 600))))
        try:
            found = known_after_reading(rotten)
        except StorageError:
            continue
        started += 1
        check(found, torn=1)
    assert started > 50


def test_an_offset_below_damage_can_still_be_read() -> None:
    disk = written(idle=True)
    store = opened(disk)
    name = segments(disk)[0]
    disk.damage(name, disk.content(name).index(ENTRIES[2].frame) + 100, b"rot")
    assert store.read(Offset(0), 1) == ENTRIES[:1]
    with pytest.raises(LogDamaged) as caught:
        store.read(ENTRIES[2].base, 1)
    assert (caught.value.segment, caught.value.offset) == (name, ENTRIES[2].base)


@pytest.mark.parametrize("at", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("known", [True, False])
def test_a_log_to_be_cut_within_damage_ends_before_it_and_is_unproven(at: int, known: bool) -> None:
    disk = written(idle=True)
    store = opened(disk)
    name = next(n for n in segments(disk) if ENTRIES[at].frame in disk.content(n))
    disk.damage(name, disk.content(name).index(ENTRIES[at].frame) + 70, b"rot")
    if known:
        examined = store.examine(name)
        assert examined is not None
        store.damaged(examined)
    more = chained([CLOCK], tail_of(ENTRIES[at]), term=3)
    with pytest.raises(StorageFailed, match="within damage"):
        store.write([cutting(ENTRIES[at].position, *more)])
    for _ in range(2):
        disk.lose_power(Random(at))
        assert found_in(disk) == Found(ENTRIES[:at], (), ENTRIES[at].position)
    disk.restart()
    store = opened(disk)
    store.write([appending(*ENTRIES[at : at + 1], *more)])
    assert store.unproven is None and whole_log(store) == (*ENTRIES[: at + 1], *more)


def unproven_end(disk: SimDisk) -> None:
    name = segments(disk)[-1]
    disk.damage(name, disk.content(name).index(ENTRIES[-1].frame) + 100, b"rot")


def lost_end(disk: SimDisk) -> None:
    disk.vanish(segments(disk)[-1])


def bad_header(disk: SimDisk) -> None:
    for at in (20, 512):
        disk.damage(segments(disk)[1], at, b"rot")


def lost_start(disk: SimDisk) -> None:
    disk.vanish(segments(disk)[0])


@pytest.mark.parametrize("harm", [unproven_end, lost_end, bad_header, lost_start])
def test_dying_at_any_operation_of_a_start_on_damage_forgets_none_of_it(
    harm: Callable[[SimDisk], None],
) -> None:
    disk = written(idle=True)
    for name in disk.names():  # all that can tell of the damage has long been on the disk
        disk.open(name).sync(Sync.SEGMENT)
    disk.sync_directory(Sync.SEGMENT_NAME)
    harm(disk)
    sure, at = found_in(disk.copy()), 0
    random = Random(2)
    while True:
        at += 1
        dying = disk.copy()
        dying.crash_at, dying.crash_random = dying.operations + at, Random(at)
        try:
            opened(dying, random64=lambda: random.getrandbits(64))
        except Crashed:
            dying.crash_at = None
        else:
            break
        for seed in range(5):
            dead = dying.copy()
            dead.lose_power(Random(seed)) if seed else dead.restart()
            again = found_by(opened(dead, random64=lambda: random.getrandbits(64)))
            assert (again.readable, again.unproven) == (sure.readable, sure.unproven)
            assert spans(again) == spans(sure)
    assert at > 10


def spans(found: Found) -> list[tuple[int, int]]:
    return [(hole.start, hole.end) for hole in found.holes]


def test_what_is_unproven_stays_so_when_segments_roll_over() -> None:
    disk = written(idle=True)
    lost_end(disk)
    store = opened(disk)
    before = len(segments(disk))
    for _ in range(3):
        store.write([appending(*chained([data(2500)], store.tail, term=3))])
    assert len(segments(disk)) > before and store.unproven is not None
    disk.restart()
    assert opened(disk).unproven == store.unproven
