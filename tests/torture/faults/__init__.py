"""The faults: each is a function that injects one, ends it, and tells by what it was seen.

Read next: kinds.py.
"""
