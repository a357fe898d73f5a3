"""How many data records of an entry lie in a range of offsets.

Decides: that count. Must not know: why somebody counts.
Read next: service.py.
"""

from replog_node.frames.decode import data_batches
from replog_node.frames.layout import batch_header
from replog_node.model.entries import Entry


def records_within(entry: Entry, start: int, end: int) -> int:
    """Data records of the entry with start <= offset < end."""
    total = 0
    for batch in data_batches(entry):
        header = batch_header(batch, 0)
        low, high = max(start, header.base), min(end, header.base + header.last_delta + 1)
        total += max(0, high - low)
    return total
