"""A log that has lost its majority, and goes on from one member because a person says so.

Read next: record.py (what is remembered), decisions.py (what is refused), forcing.py (how the
log's next life begins).
"""
