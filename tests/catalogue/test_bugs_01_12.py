"""Bugs 1 to 12 of docs/bugs.md: what is durable, what is committed, what progress means.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, ../simulation/directed.py, ../unit/driver/rig.py.
"""
