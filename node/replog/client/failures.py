"""How a call to a cluster ends when no member's word settles it.

Decides: what is told then. Must not know: how calls are made.
Read next: transport.py.
"""


class Unavailable(Exception):
    """No member gave an answer that settles the call.

    outcome: "none" if nothing can have come of any try, else "unknown". again: whether another
    try may help.
    """

    def __init__(self, detail: str, outcome: str, *, again: bool = True) -> None:
        super().__init__(detail)
        self.detail = detail
        self.outcome = outcome
        self.again = again
