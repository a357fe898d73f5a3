"""The NetworkPolicy: anybody may be a client; only members and the operator reach a peer listener.

Until there is authentication the peer listener obeys whoever reaches it, so this is what stands
between a stranger and the membership, where the cluster's network enforces policies.

Decides: who reaches which port. Must not know: where the operator runs (it is told).
Read next: services.py.
"""

from replog_operator.kube.children.names import CLIENT_PORT, PEER_PORT, selector
from replog_operator.kube.children.wanted import Object, Wanted, metadata


def network_policy(wanted: Wanted) -> Object | None:
    """Build it; None: spec.networkPolicy.enabled is false, there should be none."""
    if not wanted.network_policy:
        return None
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(wanted),
        "spec": {
            "podSelector": {"matchLabels": selector(wanted.name)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": [_port(CLIENT_PORT)]},
                {"ports": [_port(PEER_PORT)], "from": _trusted(wanted)},
            ],
        },
    }


def _trusted(wanted: Wanted) -> list[Object]:
    members: Object = {"podSelector": {"matchLabels": selector(wanted.name)}}
    if wanted.operator is None:
        return [members]
    namespace = {"kubernetes.io/metadata.name": wanted.operator.namespace}
    operator = {
        "namespaceSelector": {"matchLabels": namespace},
        "podSelector": {"matchLabels": dict(wanted.operator.labels)},
    }
    return [members, operator]


def _port(number: int) -> Object:
    return {"port": number, "protocol": "TCP"}
