"""State: the fold of the log, equal at equal offset on all members, and the leader's look ahead.

Decides: what committed records mean. Must not know: the core, disks, networks, callers.
Read next: applied.py (the fold), producers.py (sessions), head.py (admission).
"""
