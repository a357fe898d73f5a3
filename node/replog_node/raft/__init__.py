"""The consensus core: Raft as a value. Events in, effects out; no clock, no I/O, no chance.

Decides: who leads, what is committed, who is a member. Must not know: everything outside model/.
Read next: events.py and effects.py (the vocabulary), core.py (the door).
"""
