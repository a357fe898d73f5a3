"""What several kinds of tests share: simulated and lossy disks, running nodes."""

SHOWN = "shown"
"""A property with this name (record_property) is printed at the end of a run (conftest.py)."""
