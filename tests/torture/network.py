"""A network of real links: each member in a network namespace, all on one bridge, with filters.

Clients are where the bridge is and reach every member. Packets are dropped by the receiver's packet
filter (nftables), which counts them; a slow link is a token bucket (tc tbf). Kernels without netem
have both.

Decides: addresses, and how packets are lost. Must not know: who is cut off, and why.
Read next: room.py.
"""

import json
from collections.abc import Iterable

from tests.torture.room import run

CLIENT_PORT, PEER_PORT = 7401, 7411
TABLE = (
    "table inet torture { chain arriving { type filter hook input priority 0; policy accept; }; }"
)

SLOW = ("rate", "256kbit", "burst", "1600", "limit", "32768")
"""A link of 32 kB/s, with a second of packets waiting at most."""


class Network:
    """Links for so many members, numbered from 0."""

    def __init__(self, count: int) -> None:
        self.count = count
        run("ip", "link", "add", "bridge", "type", "bridge")
        run("ip", "address", "add", "10.77.0.254/24", "dev", "bridge")
        run("ip", "link", "set", "bridge", "up")
        for number in range(count):
            self._connect(number)

    def _connect(self, number: int) -> None:
        space, port = f"m{number}", f"port{number}"
        run("ip", "netns", "add", space)
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", port, "master", "bridge", "up")
        run("ip", "-n", space, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        self._filter(number, TABLE)

    @staticmethod
    def address(number: int) -> str:
        """A member's address."""
        return f"10.77.0.{number + 1}"

    @staticmethod
    def inside(number: int) -> tuple[str, ...]:
        """What to put before a command so that it runs where this member is."""
        return ("nsenter", f"--net=/run/netns/m{number}")

    def _filter(self, number: int, rules: str) -> None:
        run(*self.inside(number), "nft", "-f", "-", said=rules)

    def cut(self, ways: Iterable[tuple[int, int]]) -> None:
        """Drop all packets from the one to the other, on each of these ways."""
        for sender, receiver in ways:
            rule = f"ip saddr {self.address(sender)} counter drop"
            self._filter(receiver, f"add rule inet torture arriving {rule}")

    def lose(self, percent: int) -> None:
        """Drop so many of all packets that members get, from members and clients."""
        for number in range(self.count):
            rule = f"numgen random mod 100 < {percent} counter drop"
            self._filter(number, f"add rule inet torture arriving {rule}")

    def heal(self) -> dict[int, list[int]]:
        """Take all filters away; how many packets each of a member's rules has dropped."""
        dropped = {}
        for number in range(self.count):
            if found := self._dropped(number):
                dropped[number] = found
                self._filter(number, "flush chain inet torture arriving")
        return dropped

    def _dropped(self, number: int) -> list[int]:
        listed = run(
            *self.inside(number), "nft", "-j", "list", "chain", "inet", "torture", "arriving"
        )
        rules = [each["rule"]["expr"] for each in json.loads(listed)["nftables"] if "rule" in each]
        return [part["counter"]["packets"] for rule in rules for part in rule if "counter" in part]

    def slow_down(self, number: int) -> None:
        """Make the member's sending slow."""
        run(*self.inside(number), "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", *SLOW)

    def speed_up(self, number: int) -> tuple[int, int]:
        """End that; how many packets had to wait, and how many were dropped for it."""
        device = ("dev", "eth0", "root")
        shown = run(*self.inside(number), "tc", "-s", "-j", "qdisc", "show", *device)
        run(*self.inside(number), "tc", "qdisc", "del", *device)
        (found,) = json.loads(shown)
        return found["overlimits"], found["drops"]
