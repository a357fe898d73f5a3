"""One address that stands for several listeners, each connection led to the next of them.

As a Service or a load balancer does. Decides: that. Must not know: what is said.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle


@asynccontextmanager
async def one_name(endpoints: Sequence[str]) -> AsyncIterator[str]:
    """host:port of it, for the length of a test."""
    turns = cycle(endpoints)
    open_ones: set[asyncio.StreamWriter] = set()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)  # at once: the test may end before the other end is reached
        host, _, port = next(turns).rpartition(":")
        there_reader, there = await asyncio.open_connection(host, int(port))
        open_ones.add(there)
        await asyncio.gather(_pass_on(reader, there), _pass_on(there_reader, writer))

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for writer in open_ones:
            writer.close()
        await asyncio.gather(*(each.wait_closed() for each in open_ones), return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
