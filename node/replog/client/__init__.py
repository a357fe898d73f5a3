"""The client library: append exactly once, read from anywhere, ask how the cluster is.

    async with Client(["127.0.0.1:7401", "127.0.0.1:7402"]) as client:
        appender = await Appender.begin(client)
        await appender.append([NewRecord(b"value")])
        async for batch in read(client, start="earliest"):
            ...

Decides: when a call is tried again, and where. Must not know: the command line, the node.
Read next: transport.py (one call and its retries), appender.py, gatherer.py, reader.py.
"""

from replog.client.appender import Appender, OutcomeUnknown, SessionEnded
from replog.client.client import Client
from replog.client.gatherer import Gatherer
from replog.client.reader import Page, PageDamaged, read
from replog.client.transport import Unavailable
from replog.wire.batches import NewRecord
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended

__all__ = [
    "ApiError",
    "Appended",
    "Appender",
    "Client",
    "Gatherer",
    "NewRecord",
    "OutcomeUnknown",
    "Page",
    "PageDamaged",
    "SessionEnded",
    "Unavailable",
    "read",
]
