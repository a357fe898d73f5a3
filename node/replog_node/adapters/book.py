"""Where members are: what the configuration says and what they said of themselves in hellos.

What a member said last comes first, because addresses change without a membership change. That it
really is the member is proven by its hello, never by its address.

Decides: that order, and what is forgotten. Must not know: connections.
Read next: peers.py.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from replog_node.adapters.hello import Hello
from replog_node.model.positions import MemberId

LEARNT_MAX: Final = 64
"""Members whose addresses are remembered from hellos; the one longest unheard of is forgotten."""


class Addresses(NamedTuple):
    """What a member said of itself."""

    peer: str
    client: str


class AddressBook:
    """All addresses that a member knows."""

    def __init__(self) -> None:
        self._learnt: dict[MemberId, Addresses] = {}
        self._configured: Mapping[MemberId, str] = {}

    def configure(self, peers: Mapping[MemberId, str]) -> None:
        """Replace what the configuration says."""
        self._configured = dict(peers)

    def learn(self, hello: Hello) -> None:
        """Remember what a member of this cluster, or one of none, said of itself."""
        self._learnt.pop(hello.sender, None)
        self._learnt[hello.sender] = Addresses(hello.peer_address, hello.client_address)
        while len(self._learnt) > LEARNT_MAX:
            del self._learnt[next(iter(self._learnt))]

    def of(self, member: MemberId) -> tuple[str, ...]:
        """Where the member's peer listener may be, best guess first."""
        learnt = self._learnt.get(member)
        guesses = (None if learnt is None else learnt.peer, self._configured.get(member))
        return tuple(dict.fromkeys(guess for guess in guesses if guess is not None))

    def client_addresses(self) -> dict[MemberId, str]:
        """The client listeners of the members heard of, by id."""
        return {member: addresses.client for member, addresses in sorted(self._learnt.items())}
