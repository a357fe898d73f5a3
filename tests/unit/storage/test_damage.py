"""What rots is never served, and never taken for a torn write if it was known to be durable."""

from random import Random

import msgspec
import pytest
from google_crc32c import value as crc32c

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.storage.blocks import BLOCK_HEADER_BYTES, encode_block
from replog_node.storage.errors import (
    FormatUnknown,
    IdentityDamaged,
    LogDamaged,
    StorageError,
    VoteStateLost,
)
from replog_node.storage.segment import read_header
from replog_node.storage.summary import find_summary
from tests.support.simdisk import SimDisk
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    appending,
    chained,
    configured,
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


def damage_found(disk: SimDisk) -> LogDamaged | None:
    """Start and read everything; return the damage that is reported, None if all is there."""
    try:
        found = whole_log(opened(disk))
    except LogDamaged as damage:
        return damage
    assert found == ENTRIES
    return None


def used_bytes(disk: SimDisk, name: str) -> range:
    """Return every 37th byte of a file up to where its zeros begin."""
    return range(0, len(disk.content(name).rstrip(b"\0")), 37)


def test_a_flipped_bit_anywhere_below_the_mark_is_reported_and_nothing_is_changed() -> None:
    disk = written(idle=True)
    last = segments(disk)[-1]
    reported = 0
    for at in used_bytes(disk, last):
        rotten = flipped(disk, last, at)
        before = {name: rotten.content(name) for name in segments(rotten)}
        damage = damage_found(rotten)
        if damage is not None:  # else it was in padding, or in the mark's own block
            reported += 1
            assert damage.segment == last and damage.what
            assert {name: rotten.content(name) for name in segments(rotten)} == before
    assert reported > len(used_bytes(disk, last)) / 2


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


def test_a_flipped_bit_in_a_finished_segment_is_found_when_it_is_read() -> None:
    disk = written(idle=True)
    for name in segments(disk)[:-1]:
        for at in used_bytes(disk, name):
            damage = damage_found(flipped(disk, name, at))
            assert damage is None or damage.segment == name


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
    with pytest.raises(LogDamaged) as caught:
        opened(disk)
    assert (caught.value.segment, caught.value.offset) == (first, ENTRIES[1].base)


def test_a_summary_of_another_file_of_the_same_name_is_not_used() -> None:
    disk = written(idle=True)
    header = read_header(disk, segments(disk)[0], CLUSTER)
    other = msgspec.structs.replace(header, nonce=header.nonce + 1)
    assert find_summary(disk, header) is not None
    assert find_summary(disk, other) is None


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_missing_segment_is_damage_wherever_it_was(which: int) -> None:
    disk = written(idle=True)
    names = segments(disk)
    assert len(names) > 2
    disk.vanish(names[which])
    with pytest.raises(LogDamaged, match=r"missing|the next begins|no block"):
        opened(disk)


def test_a_shortened_segment_is_damage() -> None:
    disk = written(idle=True)
    name = segments(disk)[-1]
    content = disk.content(name)
    disk.vanish(name)
    disk.create(name, 0).write(0, content[:-1])
    with pytest.raises(LogDamaged, match="the file had 4096 bytes or more and has 4095"):
        opened(disk)


def test_a_shortened_finished_segment_is_damage_at_start() -> None:
    disk = written(idle=True)
    name = segments(disk)[0]
    content = disk.content(name)
    disk.vanish(name)
    disk.create(name, 0).write(0, content[:-100])
    with pytest.raises(LogDamaged):
        opened(disk)


def test_a_segment_of_another_cluster_or_name_is_refused() -> None:
    disk = written(idle=True)
    name = segments(disk)[-1]
    disk.rename(name, name.replace(".00", ".01"))
    with pytest.raises(LogDamaged, match="its header is of"):
        opened(disk)


def test_a_block_written_to_the_wrong_place_is_damage() -> None:
    disk = written(idle=True, entries=ENTRIES[:4])
    name = segments(disk)[0]
    first, third = (
        disk.content(name).index(e.frame) // 512 * 512 for e in (ENTRIES[0], ENTRIES[2])
    )
    disk.damage(name, third, disk.content(name)[first : first + 512])
    disk.vanish(name.replace(".seg", ".sum"))
    with pytest.raises(LogDamaged, match="the block of offset 0 doesn't follow") as caught:
        opened(disk)
    assert caught.value.offset == ENTRIES[2].base


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
    for _ in range(150):
        rotten = disk.copy()
        for _ in range(random.randint(1, 4)):
            name = random.choice(names)
            size = len(rotten.content(name))
            rotten.damage(name, random.randrange(size), random.randbytes(random.choice((1, 600))))
        try:
            found = whole_log(opened(rotten))
        except StorageError:
            continue
        assert found == ENTRIES[: len(found)]
        assert len(found) >= len(ENTRIES) - 1


def test_an_offset_below_damage_can_still_be_read() -> None:
    disk = written(idle=True)
    store = opened(disk)
    name = segments(disk)[0]
    disk.damage(name, disk.content(name).index(ENTRIES[2].frame) + 100, b"rot")
    assert store.read(Offset(0), 1) == ENTRIES[:1]
    with pytest.raises(LogDamaged) as caught:
        store.read(ENTRIES[2].base, 1)
    assert (caught.value.segment, caught.value.offset) == (name, ENTRIES[2].base)
