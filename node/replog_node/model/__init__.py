"""The words that every layer of the node shares: positions, configurations, controls, entries.

Decides: the meaning of each value. Must not know: any layer above it.
Read next: positions.py, configuration.py, controls.py, entries.py, snapshots.py.
"""
