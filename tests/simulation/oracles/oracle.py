"""What all oracles share: a name, and the failure that bears it.

Decides: nothing. Must not know: what is watched.
Read next: any of its neighbours, ../checks.py.
"""

from typing import ClassVar


class Broken(AssertionError):
    """Something that must be true isn't: the text says what, when and where.

    oracle: the name of the one that saw it; "" if none of them did.
    """

    def __init__(self, what: str, *, oracle: str = "") -> None:
        super().__init__(what)
        self.oracle = oracle


class Oracle:
    """One thing that must be true. name: what its failures begin with."""

    name: ClassVar[str]

    def broken(self, what: str) -> Broken:
        """The failure to raise: it isn't true, as these words say."""
        return Broken(f"{self.name}: {what}", oracle=self.name)
