"""The client library: append exactly once, read from anywhere, ask how the cluster is.

    async with Client(["127.0.0.1:7401", "127.0.0.1:7402"]) as client:
        async with Producer(client) as producer:
            offset = await producer.append(b"value")
        async for record in Consumer(client, start=offset):
            ...

Decides: when a call is tried again, and where. Must not know: the command line, the node.
Read next: producer.py, consumer.py (what programs use), transport.py (one call and its retries),
appender.py, gatherer.py, reader.py; docs/client.md has examples that are run.
"""

from replog.client.appender import Appender, OutcomeUnknown, SessionEnded
from replog.client.client import Client
from replog.client.consumer import Consumer
from replog.client.failures import Unavailable
from replog.client.gatherer import Gatherer
from replog.client.getter import Getter
from replog.client.producer import Producer
from replog.client.reader import Page, PageDamaged, read
from replog.wire.batches import NewRecord
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended

__all__ = [
    "ApiError",
    "Appended",
    "Appender",
    "Client",
    "Consumer",
    "Gatherer",
    "Getter",
    "NewRecord",
    "OutcomeUnknown",
    "Page",
    "PageDamaged",
    "Producer",
    "SessionEnded",
    "Unavailable",
    "read",
]
