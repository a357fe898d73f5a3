"""Faults of disks: calls that fail, disks that are full, bytes that rot.

Decides: their names. Must not know: how they are done (../diskfaults.py).
Read next: ../diskfaults.py.
"""

from __future__ import annotations

from tests.simulation.faults.registry import Blow, fault


@fault("fail-write")
def fail_write(blow: Blow) -> None:
    """One of the next writes fails."""
    blow.world.disk_faults.fail_write(blow.node, blow.random, blow.hit)


@fault("fail-sync")
def fail_sync(blow: Blow) -> None:
    """One of the next syncs fails, and loses what it was for."""
    blow.world.disk_faults.fail_sync(blow.node, blow.random, blow.hit)


@fault("fail-change")
def fail_change(blow: Blow) -> None:
    """One of the next calls fails that make, rename, remove, shorten or lengthen a file."""
    blow.world.disk_faults.fail_change(blow.node, blow.random, blow.hit)


@fault("fail-read")
def fail_read(blow: Blow) -> None:
    """One of the next reads fails."""
    blow.world.disk_faults.fail_read(blow.node, blow.random, blow.hit)


@fault("fill")
def fill(blow: Blow) -> None:
    """The disk is full for a while."""
    blow.world.disk_faults.fill(blow.node, blow.random, blow.hit)


@fault("fill-all")
def fill_all(blow: Blow) -> None:
    """All disks are full for a while."""
    blow.world.disk_faults.fill_all(blow.random, blow.hit)


@fault("rot-flip")
def rot_flip(blow: Blow) -> None:
    """A bit flips."""
    blow.world.disk_faults.flip(blow.node, blow.random, blow.hit)


@fault("rot-misdirected")
def rot_misdirected(blow: Blow) -> None:
    """Sectors hold what was meant for others."""
    blow.world.disk_faults.misdirect(blow.node, blow.random, blow.hit)


@fault("rot-stale")
def rot_stale(blow: Blow) -> None:
    """Sectors hold what was there before."""
    blow.world.disk_faults.stale(blow.node, blow.random, blow.hit)
