"""The certificates of a cluster, and a kubeconfig for each that asks its API server, by openssl.

Decides: who is who. Must not know: what they are used for.
Read next: daemons.py.
"""

import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.cluster.sandbox import NODE_ADDRESS

API_SERVER = f"https://{NODE_ADDRESS}:6443"
SERVER_NAMES = (
    "IP:10.96.0.1",
    f"IP:{NODE_ADDRESS}",
    "IP:127.0.0.1",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "DNS:kubernetes.default.svc.cluster.local",
)
OPENSSL_S = 60
DAYS = "30"


class Identity(NamedTuple):
    """One certificate. names: of a server (its subjectAltName); empty for a client."""

    file: str
    subject: str
    names: tuple[str, ...] = ()


IDENTITIES = (
    Identity("apiserver", "/CN=kube-apiserver", SERVER_NAMES),
    Identity("kubelet-server", "/CN=node1", (f"IP:{NODE_ADDRESS}", "DNS:node1")),
    Identity("apiserver-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
    Identity("admin", "/O=system:masters/CN=admin"),
    Identity("kubelet", "/O=system:nodes/CN=system:node:node1"),
    Identity("controller-manager", "/CN=system:kube-controller-manager"),
    Identity("scheduler", "/CN=system:kube-scheduler"),
    Identity("proxy", "/CN=system:kube-proxy"),
    Identity("coredns", "/CN=coredns"),
)


def make(directory: Path) -> None:
    """Write the authority, a key and a certificate of each, kubeconfigs, and sa.key with sa.pub."""
    directory.mkdir()
    _openssl(directory, "ecparam -name prime256v1 -genkey -noout -out ca.key")
    _openssl(directory, f"req -x509 -new -key ca.key -subj /CN=ca -days {DAYS} -out ca.crt")
    for identity in IDENTITIES:
        _sign(directory, identity)
        if not identity.names:
            _write_kubeconfig(directory, identity.file)
    _openssl(directory, "genrsa -out sa.key 2048")
    _openssl(directory, "rsa -in sa.key -pubout -out sa.pub")


def kubeconfig(directory: Path, who: str) -> Path:
    """Where the kubeconfig of that client is."""
    return directory / f"{who}.kubeconfig"


def _sign(directory: Path, identity: Identity) -> None:
    name = identity.file
    extensions = [f"extendedKeyUsage={'serverAuth' if identity.names else 'clientAuth'}"]
    if identity.names:
        extensions.append(f"subjectAltName={','.join(identity.names)}")
    (directory / f"{name}.ext").write_text("\n".join(extensions))
    _openssl(directory, f"ecparam -name prime256v1 -genkey -noout -out {name}.key")
    _openssl(directory, f"req -new -key {name}.key -subj {identity.subject} -out {name}.csr")
    _openssl(
        directory,
        f"x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {DAYS}"
        f" -extfile {name}.ext -out {name}.crt",
    )


def _write_kubeconfig(directory: Path, who: str) -> None:
    """A kubeconfig that names its files by their absolute paths."""
    kubeconfig(directory, who).write_text(f"""\
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {{server: "{API_SERVER}", certificate-authority: {directory}/ca.crt}}
users:
- name: {who}
  user: {{client-certificate: {directory}/{who}.crt, client-key: {directory}/{who}.key}}
contexts:
- name: test
  context: {{cluster: test, user: {who}}}
current-context: test
""")


def _openssl(directory: Path, arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments.split()], cwd=directory, capture_output=True, text=True,
        timeout=OPENSSL_S,
    )  # fmt: skip
    if done.returncode:
        raise OSError(f"openssl {arguments}: {done.stderr}")
