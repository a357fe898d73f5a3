"""The ServiceAccount of a log's pods: a name without a token, since a node asks Kubernetes nothing.

Decides: that. Must not know: pods.
Read next: pod.py.
"""

from replog_operator.kube.children.wanted import Object, Wanted, metadata


def service_account(wanted: Wanted) -> Object:
    """Build it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(wanted),
        "automountServiceAccountToken": False,
    }
