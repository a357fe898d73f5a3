"""Network policies, enforced: the bridge between the pods of one node knows nothing of them.

All policies become one nftables table, which is replaced when it changes. Only what is forwarded
between pods, and what a pod sends to the node, is filtered: the node itself (the kubelet's probes,
and tests in its network) reaches every pod, as a policy demands. Connections that are open stay so.

Decides: which packets a policy lets through. Must not know: whose pods these are.
Read next: daemons.py.
"""

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster.api import Api

POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
PODS = "/api/v1/pods"
NAMESPACES = "/api/v1/namespaces"
LOOK_S = 0.3
NFT_S = 30


class Way(NamedTuple):
    """One direction of a policy. far and near: whose address a packet has there."""

    kind: str
    rules: str
    peers: str
    far: str
    near: str


INGRESS = Way("Ingress", "ingress", "from", "saddr", "daddr")
EGRESS = Way("Egress", "egress", "to", "daddr", "saddr")


class World(NamedTuple):
    """All that a ruleset follows from."""

    policies: list[Any]
    namespaces: list[Any]
    pods: list[Any]


def selects(selector: Any, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all."""
    same = all(labels.get(k) == v for k, v in (selector.get("matchLabels") or {}).items())
    return same and all(_holds(each, labels) for each in selector.get("matchExpressions") or [])


def _holds(expression: Any, labels: dict[str, str]) -> bool:
    found, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
    raise AssertionError(f"an operator of no selector: {expression['operator']}")


def _labels(thing: Any) -> dict[str, str]:
    return dict(thing["metadata"].get("labels") or {})


def _address(pod: Any) -> str:
    return str(pod["status"]["podIP"])


def ruleset(world: World) -> str:
    """The whole table, as nft reads it."""
    chains: list[str] = []
    jumps: dict[Way, list[str]] = {INGRESS: [], EGRESS: []}
    for number, pod in enumerate(sorted(world.pods, key=_address)):
        for way in (INGRESS, EGRESS):
            policies = [each for each in world.policies if _concerns(each, pod, way)]
            if policies:
                name = f"{way.rules}_{number}"
                allowed = sorted({m for p in policies for m in _allowed(p, pod, way, world)})
                body = "\n".join(f"    {match} return" for match in allowed)
                chains.append(f"  chain {name} {{\n{body}\n    drop\n  }}")
                jumps[way].append(f"    ip {way.near} {_address(pod)} jump {name}")
    return TABLE.format(
        chains="\n".join(chains),
        sent="\n".join(jumps[EGRESS]),
        received="\n".join(jumps[INGRESS]),
    )


TABLE = """\
table inet policies
delete table inet policies
table inet policies {{
{chains}
  chain between_pods {{
    type filter hook forward priority 10
    ct state established,related accept
{sent}
{received}
  }}
  chain to_the_node {{
    type filter hook input priority 10
    ct state established,related accept
{sent}
  }}
}}
"""


def _concerns(policy: Any, pod: Any, way: Way) -> bool:
    return (
        policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and way.kind in policy["spec"]["policyTypes"]
        and selects(policy["spec"].get("podSelector") or {}, _labels(pod))
    )


def _allowed(policy: Any, pod: Any, way: Way, world: World) -> Iterator[str]:
    """What lets a packet through, each as an nft expression."""
    for rule in policy["spec"].get(way.rules) or []:
        for match, far in _peers(rule.get(way.peers), policy, way, world):
            for port in rule.get("ports") or [{}]:
                near_end = [pod] if way is INGRESS else far
                yield from (f"{match} {each}".strip() for each in _ports(port, near_end))


def _peers(
    peers: list[Any] | None, policy: Any, way: Way, world: World
) -> Iterator[tuple[str, list[Any]]]:
    """Matches for the other end, with its pods where they are known; no list is everybody."""
    if not peers:
        yield "", world.pods
    for peer in peers or []:
        if block := peer.get("ipBlock"):
            but = "".join(f" ip {way.far} != {each}" for each in block.get("except") or [])
            yield f"ip {way.far} {block['cidr']}{but}", []
        elif pods := list(_selected(peer, policy["metadata"]["namespace"], world)):
            yield f"ip {way.far} {{ {', '.join(map(_address, pods))} }}", pods


def _selected(peer: Any, own: str, world: World) -> Iterable[Any]:
    names = {own}
    if "namespaceSelector" in peer:
        chosen = peer["namespaceSelector"] or {}
        names = {n["metadata"]["name"] for n in world.namespaces if selects(chosen, _labels(n))}
    return (
        pod
        for pod in world.pods
        if pod["metadata"]["namespace"] in names
        and selects(peer.get("podSelector") or {}, _labels(pod))
    )


def _ports(port: Any, near_end: list[Any]) -> Iterator[str]:
    """Matches for a port of a rule; a named one is looked up in the pods that receive."""
    if not port:
        yield ""
        return
    protocol, number = port.get("protocol", "TCP").lower(), port.get("port")
    if number is None:
        yield f"meta l4proto {protocol}"
    elif isinstance(number, int):
        last = f"-{port['endPort']}" if "endPort" in port else ""
        yield f"{protocol} dport {number}{last}"
    else:
        for pod in near_end:
            for each in _named(pod, number):
                yield f"ip daddr {_address(pod)} {protocol} dport {each}"


def _named(pod: Any, name: str) -> Iterator[int]:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("name") == name:
                yield int(port["containerPort"])


def look(api: Api) -> World:
    """Read it all. Raises OSError."""
    pods = [
        pod
        for pod in api.items(PODS)
        if pod["status"].get("podIP")
        and not pod["spec"].get("hostNetwork")
        and pod["status"]["phase"] in ("Pending", "Running")
    ]
    return World(api.items(POLICIES), api.items(NAMESPACES), pods)


def main() -> None:
    """Look until killed; what goes wrong is said, and tried again."""
    api = Api(Path(sys.argv[1]) / "pki")
    in_force = ""
    while True:
        try:
            rules = ruleset(look(api))
            if rules != in_force:
                _enforce(rules)
                in_force = rules
        except OSError as problem:
            sys.stdout.write(f"{problem}\n")
        time.sleep(LOOK_S)


def _enforce(rules: str) -> None:
    done = subprocess.run(
        ["nft", "-f", "-"], input=rules, capture_output=True, text=True, timeout=NFT_S
    )
    if done.returncode:
        raise OSError(f"{done.stderr}\n{rules}")


if __name__ == "__main__":
    main()
