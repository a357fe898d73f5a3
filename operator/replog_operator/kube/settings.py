"""What is set of an operator process: from options, or from the environment.

Decides: names, units, defaults and reasons of all settings (docs/operator-settings.md, checked by a
test). Must not know: what the parts do with them.
Read next: process.py.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

ENVIRONMENT: Final = "REPLOG_OPERATOR"
LEASE_NAME_MAX: Final = 63
"""Members remember it as a part of the holder's name."""
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds who it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorSettings:
    """Read each one's meaning beside its option."""

    namespace: tuple[str, ...] = ()
    kubeconfig: Path | None = None
    lease_namespace: str = ""
    lease_name: str = "replog-operator"
    pod_name: str = ""
    node_image: str = ""
    pod_labels: str = "app.kubernetes.io/name=replog-operator"
    max_concurrent_rolls: int = 1
    workers: int = 4
    address: str = "0.0.0.0"
    port: int = 8080
    log_format: str = "json"
    log_level: str = "info"


def _option(name: str, text: str, **how: Any) -> Callable[[Any], Any]:
    variable = f"{ENVIRONMENT}_{name.upper().replace('-', '_')}"
    return click.option(
        f"--{name}", help=text, envvar=variable, show_envvar=True, show_default=True, **how
    )


def _default(name: str) -> Any:
    return getattr(OperatorSettings(), name)


OPTIONS: Final = (
    _option(
        "namespace",
        "Serve this namespace; several are given by several options, or with blanks in the "
        "environment. Without it the whole cluster is served.",
        multiple=True,
    ),
    _option(
        "kubeconfig",
        "How to reach the API server from outside of the cluster. In a pod its own account does.",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
    ),
    _option(
        "lease-namespace", "Where the lease is. Left out, the pod's own namespace.", default=""
    ),
    _option(
        "lease-name",
        "Operators that share a lease take turns. Members remember it: two operators with leases "
        "of two names must never serve one log.",
        default=_default("lease_name"),
    ),
    _option("pod-name", "Who holds the lease. Left out, the name of the host.", default=""),
    _option("node-image", "The image of logs that name none. Needed.", default=""),
    _option(
        "pod-labels",
        "Labels of the operator's own pods: network policies let these reach the members.",
        default=_default("pod_labels"),
    ),
    _option(
        "max-concurrent-rolls",
        "Logs whose pods are replaced at the same time: a bad image stops at the first.",
        type=click.IntRange(1, 1000),
        default=_default("max_concurrent_rolls"),
    ),
    _option(
        "workers",
        "Logs that are looked at side by side; most of a look is waiting for answers.",
        type=click.IntRange(1, 64),
        default=_default("workers"),
    ),
    _option("address", "Where probes and metrics are served.", default=_default("address")),
    _option(
        "port",
        "Of /livez, /readyz and /metrics; 0: any that is free.",
        type=click.IntRange(0, 65535),
        default=_default("port"),
    ),
    _option(
        "log-format",
        "json for collectors, plain for people.",
        type=click.Choice(["json", "plain"]),
        default=_default("log_format"),
    ),
    _option(
        "log-level",
        "info tells what is done.",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default=_default("log_level"),
    ),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All options on a command, in this order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def labels_of(text: str) -> dict[str, str]:
    """`name=value,…` as labels. Raises click.UsageError."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not all(separator for _, separator, _ in pairs):
        raise click.UsageError(f"--pod-labels must be like name=value,…: {text}")
    return {name: value for name, _, value in pairs}


def settled(given: OperatorSettings, account: Path = ACCOUNT) -> OperatorSettings:
    """With what a pod knows of itself in place of what was left out.

    Raises click.UsageError.
    """
    namespace, file = given.lease_namespace, account / "namespace"
    if not namespace and file.exists():
        namespace = file.read_text().strip()
    if not namespace:
        raise click.UsageError("outside of a pod --lease-namespace is needed")
    if not given.node_image:
        raise click.UsageError("--node-image is needed")
    labels_of(given.pod_labels)
    if len(given.lease_name) > LEASE_NAME_MAX:
        raise click.UsageError(f"--lease-name has more than {LEASE_NAME_MAX} characters")
    return replace(
        given, lease_namespace=namespace, pod_name=given.pod_name or socket.gethostname()
    )
