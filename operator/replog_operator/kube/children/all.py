"""All children of a log in the order in which they are applied.

Decides: that order: what a pod needs stands before the StatefulSet that makes pods.
Must not know: how one is built.
Read next: wanted.py, stateful_set.py.
"""

from replog_operator.kube.children.config_map import config_map
from replog_operator.kube.children.disruption_budget import disruption_budget
from replog_operator.kube.children.network_policy import network_policy
from replog_operator.kube.children.service_account import service_account
from replog_operator.kube.children.services import client, peers
from replog_operator.kube.children.stateful_set import stateful_set
from replog_operator.kube.children.wanted import Object, Wanted


def children(wanted: Wanted) -> list[Object]:
    """Every child that there should be, claims aside."""
    return [*companions(wanted), stateful_set(wanted)]


def companions(wanted: Wanted) -> list[Object]:
    """Those that may be applied at any time: all but the StatefulSet."""
    found = (
        service_account(wanted),
        config_map(wanted),
        network_policy(wanted),
        peers(wanted),
        client(wanted),
        disruption_budget(wanted),
    )
    return [child for child in found if child is not None]
