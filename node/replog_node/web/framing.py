"""How long a request is, where that is beyond doubt: the head and its Content-Length.

Decides: what is beyond doubt. Must not know: what the request asks for.
Read next: listener.py.
"""

import re
from typing import Final

HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,10})[ \t]*(?=\r\n)")


def length_of(data: bytes) -> int | None:
    """The length of the request that begins here, its body included.

    None when that can't be told from these bytes alone, or when two parsers could differ: no whole
    head, another framing than one Content-Length, an upgrade, lines that end in other ways.
    """
    end = data.find(HEAD_END)
    if end < 0:
        return None
    head = data[: end + 2].lower()
    lines = head.count(b"\r\n")
    if head.count(b"\n") != lines or head.count(b"\r") != lines:
        return None
    if b"transfer-encoding" in head or b"upgrade" in head or b"expect" in head:
        return None
    lengths = _LENGTH.findall(head)
    if len(lengths) > 1 or head.count(b"content-length") != len(lengths):
        return None
    return end + len(HEAD_END) + (int(lengths[0]) if lengths else 0)
