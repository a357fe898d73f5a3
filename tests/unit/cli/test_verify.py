"""`replog verify`: every copy whole, and all the same, or it says which isn't."""

import json
from copy import deepcopy

import pytest

from replog.client import Appender, Client
from tests.unit.cli.running import ran
from tests.unit.client.cluster import Cluster, cluster


async def _filled(made: Cluster) -> None:
    async with Client(made.endpoints) as client:
        appender = await Appender.begin(client)
        for number in range(20):
            await appender.append_value(b"%d" % number)


@pytest.mark.asyncio
async def test_equal_copies_are_told_with_one_digest() -> None:
    async with cluster() as made:
        await _filled(made)
        done = await ran(made, "verify", "--output", "json")
        copies = json.loads(done.out)
        assert done.code == 0, done.err
        assert [copy["endpoint"] for copy in copies] == made.endpoints
        assert {copy["batches"] for copy in copies} == {20}
        assert len({copy["digest"] for copy in copies}) == 1 and copies[0]["digest"]


@pytest.mark.asyncio
async def test_a_damaged_copy_is_named_and_ends_with_1() -> None:
    async with cluster() as made:
        await _filled(made)
        made.members[0].faults.append("")  # the question for the end comes first
        made.members[1].faults.append("damage")
        done = await ran(made, "verify")
        assert done.code == 1
        told = done.out.decode().splitlines()
        assert "NOT VERIFIED" in told[1] and "checksum" in told[1]
        assert "NOT VERIFIED" not in told[0] + told[2]


@pytest.mark.asyncio
async def test_a_copy_with_other_bytes_ends_with_1() -> None:
    async with cluster() as made:
        await _filled(made)
        other = deepcopy(made.log)
        other.batches[3], other.batches[4] = other.batches[3], other.batches[3]
        made.members[2].log = other
        assert (await ran(made, "verify")).code == 1
        differing = deepcopy(made.log)
        differing.batches.pop()
        made.members[2].log = differing
        done = await ran(made, "verify")
        assert done.code == 1 and "not hold the same" in done.err


@pytest.mark.asyncio
async def test_a_member_that_is_down_leaves_the_log_unverified() -> None:
    async with cluster() as made:
        await _filled(made)
        made.members[1].faults.extend(["cut"] * 1000)
        done = await ran(made, "verify", "--timeout", "1")
        assert done.code == 1 and "not every copy" in done.err


@pytest.mark.asyncio
async def test_members_that_no_endpoint_names_are_verified_too() -> None:
    async with cluster() as made:
        await _filled(made)
        only = Cluster.__new__(Cluster)
        only.log, only.members = made.log, made.members[:1]
        done = await ran(only, "verify", "--output", "json")
        assert {copy["endpoint"] for copy in json.loads(done.out)} == set(made.endpoints)
