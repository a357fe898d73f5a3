"""Run in a member's pod: print the control records of the log on its own disk, a line of JSON each.

Argument: the offset up to which to read; what is there must be committed. The member goes on
meanwhile. A line is {offset, time_ms, kind, fields, frame}: the frame's bytes are hexadecimal.
"""

import os
import sys

import msgspec

from replog_node.frames.decode import controls
from replog_node.model.positions import Offset, Position, Term
from replog_node.storage.disk_os import OsDiskBeside
from replog_node.storage.readonly import open_reader


def show(up_to: int) -> None:
    """Print them."""
    log = open_reader(OsDiskBeside(os.environ["REPLOG_DATA_DIR"]))
    for entry in log.entries(log.origin, Position(Term(0), Offset(up_to))):
        for offset, record in controls(entry):
            line = {
                "offset": offset,
                "time_ms": entry.append_time_ms,
                "kind": type(record).__name__,
                "fields": record,
                "frame": entry.frame.hex(),
            }
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        if entry.last >= up_to:
            break


if __name__ == "__main__":
    show(int(sys.argv[1]))
