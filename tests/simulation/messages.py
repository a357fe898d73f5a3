"""What kind of message some bytes are, told without decoding them.

Decides: nothing. Must not know: what messages mean. Read next: replog_node/driver/wire.py.
"""

from typing import Final

from replog_node.driver.wire import TYPES
from replog_node.raft.messages import Envelope

_KEY: Final = b"\xa4type"
_SHORT: Final = 0xA0
_SHORT_MAX: Final = 0x1F
_NAMES: Final = {number.to_bytes(2, "big"): kind.__name__ for number, kind in TYPES.items()}


def kind_of(message: bytes) -> str:
    """The name of the message's type; of the core's message, if it is an envelope."""
    name = _NAMES[message[:2]]
    if name != Envelope.__name__:
        return name
    at = message.index(_KEY) + len(_KEY)
    return message[at + 1 : at + 1 + (message[at] & _SHORT_MAX)].decode()
