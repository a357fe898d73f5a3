"""Large pages leave piece by piece; small ones in one."""

import pytest

from replog.wire.batches import build_values, split_batches
from replog_node.web.pieces import PIECE_BYTES_MIN, Pieces, body_of
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import client_listener


def test_large_pieces_stay_apart_and_small_ones_are_joined() -> None:
    large, small = memoryview(b"l" * 2 * PIECE_BYTES_MIN), memoryview(b"s")
    assert isinstance(body_of([large, large]), Pieces)
    assert body_of([small, small]) == b"ss"
    assert isinstance(body_of([large]), Pieces)
    assert body_of([memoryview(b"l" * PIECE_BYTES_MIN)]) == b"l" * PIECE_BYTES_MIN
    assert body_of([]) == b""


@pytest.mark.asyncio
async def test_a_page_of_large_batches_comes_whole_with_its_length() -> None:
    service = MemoryService()
    made = [build_values([bytes([n]) * 30_000], timestamp_ms=1) for n in range(10)]
    for batch in made:
        service.put(batch=batch)
    async with client_listener(service) as client:
        for _ in range(2):  # the connection goes on after such a page
            response = await client.get(
                "/v1/records?from=0", headers={"Accept": "application/vnd.replog.batches"}
            )
            body = await response.read()
            assert response.headers["Content-Type"] == "application/vnd.replog.batches"
            assert response.headers["Content-Length"] == str(len(body))
    assert [batch[16:] for batch in split_batches(body)] == [batch.data[16:] for batch in made]
