"""The error that stops a member: something that must never be is.

Decides: nothing; it is here so that every module of the core can raise it.
Must not know: who catches it (the driver ends the process; nothing is repaired in place).
Read next: invariants.py (what is checked after every step).
"""


class InvariantViolation(Exception):
    """The member must stop: going on could lose or fork committed data.

    Raised inside a step; the effects of that step are lost with it, and the core must not be
    stepped again. What is durable stays as it is.
    """
