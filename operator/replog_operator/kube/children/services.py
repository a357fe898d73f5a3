"""Two Services: one gives members their DNS names, the other is where clients find the log.

Decides: that any ready member serves clients (a follower forwards, so none is for the leader), and
that members find each other before they are ready.
Must not know: who is ready.
Read next: pod.py.
"""

from replog_operator.kube.children.names import CLIENT_PORT, PEER_PORT, peers_service, selector
from replog_operator.kube.children.wanted import Object, Wanted, metadata


def peers(wanted: Wanted) -> Object:
    """Build the headless Service. Members must be found while none of them is ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(wanted, peers_service(wanted.name)),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector(wanted.name),
            "ports": [_port("client", CLIENT_PORT), _port("peer", PEER_PORT)],
        },
    }


def client(wanted: Wanted) -> Object:
    """Build the Service for clients; the peer listener is not on it."""
    child: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(wanted),
        "spec": {
            "type": wanted.service_type,
            "selector": selector(wanted.name),
            "ports": [_port("client", CLIENT_PORT)],
        },
    }
    if wanted.service_annotations:
        child["metadata"]["annotations"] = dict(wanted.service_annotations)
    return child


def _port(name: str, number: int) -> Object:
    return {"name": name, "port": number, "targetPort": name, "protocol": "TCP"}
