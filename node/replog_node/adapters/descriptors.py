"""How many files and connections the process may have open at once.

The soft limit that a process is given (often 1024) is for old programs; a node needs a descriptor
for each connection, each segment that is being read, and the log.

Decides: that the soft limit becomes the hard one. Must not know: what the descriptors are for.
Read next: ../app.py.
"""

import resource


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, as far as the system lets us; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # a system that allows less than its hard limit says
        return soft
    return hard
