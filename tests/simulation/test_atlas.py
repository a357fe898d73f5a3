"""The atlas lets disks rot only where one good durable copy of everything is left.

A quiet cluster whose disks are looked at byte by byte; what may rot does, then less may.
"""

from __future__ import annotations

import pytest

from replog_node.model.positions import Offset, Position, Term
from replog_node.storage.blocks import encode_block
from replog_node.storage.hardstate import HARD_STATE_NAMES
from replog_node.storage.identity import IDENTITY_NAME
from replog_node.storage.segment import base_of
from replog_node.storage.snapshots import is_snapshot
from replog_node.storage.start import START_NAME
from tests.simulation.atlas import Atlas, frames_in, marked_end, segments_of
from tests.simulation.node import SimNode
from tests.simulation.sizes import Sizes
from tests.simulation.world import World
from tests.support.simdisk import SECTOR


def quiet_world(retention_bytes: int = 0, *, without: tuple[int, ...] = ()) -> World:
    """Three members with a few segments each, at rest; some died before the last of these."""
    world = World(3, sizes=Sizes(retention_bytes=retention_bytes))
    world.run(2)
    world.add_clients(plain=4, sessions=0, readers=0)
    world.run(4)
    for place in without:
        world.nodes[place].kill()
    world.run(3)
    world.stop_clients()
    world.run(2)
    return world


def atlas_of(world: World) -> Atlas:
    assert world.disk_faults.atlas is not None
    return world.disk_faults.atlas


def frame_on(node: SimNode, base: int) -> tuple[str, int]:
    """In which of a member's files the frame of this offset lies, and at which byte."""
    name = [name for name in segments_of(node.disk) if base_of(name) <= base][-1]
    content = node.disk.content(name)
    frames = dict(frames_in(content))
    return name, content.index(frames[base])


def rot(node: SimNode, name: str, at: int) -> None:
    node.disk.damage(name, at, bytes([node.disk.content(name)[at] ^ 1]))


def some_base(node: SimNode, segment: int) -> int:
    """The first offset of one of a member's segments."""
    return next(iter(frames_in(node.disk.content(segments_of(node.disk)[segment]))))[0]


def test_an_entry_may_rot_on_all_members_but_one() -> None:
    world = quiet_world()
    base = some_base(world.nodes[0], 1)
    for node in world.nodes[:2]:
        name, at = frame_on(node, base)
        assert atlas_of(world).allows(node, name, at, 1)
        rot(node, name, at)
    last = world.nodes[2]
    assert not atlas_of(world).allows(last, *frame_on(last, base), 1)
    assert not atlas_of(world).whole()


def test_who_lacks_an_entry_is_no_copy_of_it() -> None:
    world = quiet_world(without=(2,))
    one, other, third = world.nodes
    end = max(base for base, _ in frames_in(third.disk.content(segments_of(third.disk)[-1])))
    base = some_base(one, -2)
    assert base > end
    name, at = frame_on(one, base)
    assert atlas_of(world).allows(one, name, at, 1)
    rot(one, name, at)
    assert not atlas_of(world).allows(other, *frame_on(other, base), 1)


def test_a_copy_that_is_not_durable_is_none() -> None:
    world = quiet_world()
    base = some_base(world.nodes[0], 1)
    one, other, third = world.nodes
    for node in (other, third):
        name, _ = frame_on(node, base)
        content = node.disk.content(name)
        node.disk.remove(name)
        node.disk.create(name, len(content)).write(0, content)
    assert not atlas_of(world).allows(one, *frame_on(one, base), 1)


def test_once_an_entry_is_written_anew_another_copy_may_rot() -> None:
    world = quiet_world()
    base = some_base(world.nodes[0], 1)
    for node in world.nodes[:2]:
        rot(node, *frame_on(node, base))
        assert node.storage is not None
        node.storage.scrub_soon()
    last = world.nodes[2]
    assert not atlas_of(world).allows(last, *frame_on(last, base), 1)
    world.run(8)
    assert world.notes["log_whole"] >= 2 and atlas_of(world).whole()
    assert atlas_of(world).allows(last, *frame_on(last, base), 1)


def test_what_no_mark_covers_stays_whole() -> None:
    blocks = [
        encode_block(
            nonce=7, base=10 * n, chain=bytes(16), mark=Position(Term(1), Offset(10 * n - 1)),
            frames=[b"f" * 700],
        )
        for n in range(3)
    ]  # fmt: skip
    content = bytes(SECTOR) + b"".join(blocks)
    assert marked_end(content) == SECTOR + len(blocks[0]) + len(blocks[1])
    again = encode_block(
        nonce=7, base=30, chain=bytes(16), mark=Position(Term(1), Offset(19)), frames=[b"g" * 100]
    )
    assert marked_end(content + again) == marked_end(content), "the first that says so counts"
    idle = encode_block(nonce=7, base=31, chain=bytes(16), mark=Position(Term(1), Offset(30)))
    assert marked_end(content + again + idle) == len(content + again)


def test_no_more_members_than_a_minority_may_lose_their_ends() -> None:
    world = quiet_world()
    allowed = []
    for node in world.nodes:
        name = segments_of(node.disk)[-1]
        end = marked_end(node.disk.content(name))
        places = [at for at in range(SECTOR, end, 64) if at + 1 <= end]
        may = [at for at in places if atlas_of(world).allows(node, name, at, 1)]
        allowed.append(bool(may))
        assert not atlas_of(world).allows(node, name, end, 1)
        if may:
            rot(node, name, may[-1])
    assert sum(allowed) == 1


def test_one_copy_of_term_and_vote_may_rot_and_the_identity_never() -> None:
    world = quiet_world()
    node = world.nodes[0]
    one, other = HARD_STATE_NAMES
    assert atlas_of(world).allows(node, one, 20, 1)
    rot(node, one, 20)
    assert not atlas_of(world).allows(node, other, 20, 1)
    assert not atlas_of(world).allows(node, IDENTITY_NAME, 20, 1)
    node.kill()
    node.start()
    assert atlas_of(world).allows(node, other, 20, 1), "the start has written both anew"


def test_a_snapshot_may_rot_while_another_file_stands_for_what_was_let_go_of() -> None:
    world = quiet_world(retention_bytes=24 * 1024)
    node = world.nodes[0]
    assert base_of(segments_of(node.disk)[0]) > 0
    files = sorted(filter(is_snapshot, node.disk.lasting()))
    assert len(files) >= 2
    rotten = [name for name in files if _let_rot(world, node, name)]
    assert 1 <= len(rotten) < len(files)
    node.kill()
    node.start()
    assert node.driver is not None, "what is left is enough to start from"


def _let_rot(world: World, node: SimNode, name: str) -> bool:
    allowed = atlas_of(world).allows(node, name, 700, 1)
    if allowed:
        rot(node, name, 700)
    return allowed


def test_where_the_log_begins_may_rot_only_alone() -> None:
    world = quiet_world()
    node = world.nodes[0]
    assert atlas_of(world).allows(node, START_NAME, 20, 1)
    name, at = frame_on(node, some_base(node, 1))
    rot(node, START_NAME, 20)
    assert not atlas_of(world).allows(node, name, at, 1)
    assert atlas_of(world).allows(world.nodes[1], START_NAME, 20, 1)
    rot(world.nodes[1], *frame_on(world.nodes[1], some_base(node, 1)))
    assert not atlas_of(world).allows(world.nodes[1], START_NAME, 20, 1)


@pytest.mark.parametrize("how", ["trim", "retention", "target"])
def test_no_entry_rots_while_the_others_may_let_go_of_it_or_leave(how: str) -> None:
    world = quiet_world(retention_bytes=1 << 30 if how == "retention" else 0)
    node = world.nodes[0]
    place = (*frame_on(node, some_base(node, 1)), 1)
    if how == "trim":
        assert atlas_of(world).allows(node, *place)
        assert world.disk_faults.lets_go()
    if how == "target":
        assert atlas_of(world).allows(node, *place)
        world.retarget([0, 1])
    assert not atlas_of(world).allows(node, *place)


def test_nobody_is_removed_or_trimmed_while_an_entry_is_rotten() -> None:
    world = quiet_world()
    node = world.nodes[0]
    rot(node, *frame_on(node, some_base(node, 1)))
    wanted = world.operations.wanted
    world.retarget([1, 2])
    assert world.operations.wanted == wanted and not world.disk_faults.lets_go()
    assert {each.name for each in world.healing.majority()} == {"m0", "m1", "m2"}
