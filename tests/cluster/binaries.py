"""The programs of a cluster, built with Go from the modules that go/go.mod and go.sum pin.

`python3 -m tests.cluster.binaries` builds those that are missing; the standard library suffices for
that. Several may build at once: each program is built by one of them, the others wait for it.

Decides: what is built and how. Must not know: what the programs are started for.
Read next: versions.py.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.locks import alone
from tests.cluster.versions import CACHE, GO, key, pinned

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "coredns": "./coredns",
    "helm": "helm.sh/helm/v4/cmd/helm",
}
"""Program and package, the one that others wait for first."""

API = ("etcd", "kube-apiserver", "kubectl", "kube-controller-manager")
"""What an API server without a node needs."""

BUILD_S = 1200
"""How long one program may take, on a slow machine and with nothing built before."""


def directory() -> Path:
    """Where the programs of these pins lie."""
    sources = [GO / "go.mod", GO / "go.sum", GO / "coredns" / "main.go"]
    return CACHE / f"bin-{key(sources, *PACKAGES.values(), *_flags())}"


def _flags() -> list[str]:
    kubernetes = pinned("k8s.io/kubernetes")
    major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
    stamps = {"gitVersion": kubernetes, "gitMajor": major, "gitMinor": minor}
    linked = [f"-X k8s.io/component-base/version.{name}={is_}" for name, is_ in stamps.items()]
    return ["-trimpath", "-ldflags", " ".join(["-s", "-w", *linked])]


def missing() -> str:
    """Why they can't be had on this machine, for people; empty if they can."""
    lacking = [name for name in PACKAGES if not (directory() / name).exists()]
    return "" if not lacking or shutil.which("go") else f"no go to build {', '.join(lacking)}"


def ensure(*names: str) -> Path:
    """Build those of these programs (all, if none is named) that are missing; their directory.

    Raises OSError with the compiler's words.
    """
    for name in names or PACKAGES:
        if not (directory() / name).exists():
            with alone(directory() / f".{name}.lock"):
                _build(name)
    return directory()


def _build(name: str) -> None:
    """Build it under another name first: a program that is there is whole."""
    done, unfinished = directory() / name, directory() / f".{name}.unfinished"
    if done.exists():
        return
    began = time.monotonic()
    built = subprocess.run(
        ["go", "build", *_flags(), "-o", str(unfinished), PACKAGES[name]],
        cwd=GO,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    if built.returncode:
        raise OSError(f"go build {PACKAGES[name]}: {built.stderr}")
    unfinished.rename(done)
    took = directory() / f".{name}.seconds"
    took.write_text(f"{time.monotonic() - began:.0f}\n")


def main() -> None:
    """Build what is missing, or what is named, and say where it is."""
    sys.stdout.write(f"{ensure(*sys.argv[1:])}\n")


if __name__ == "__main__":
    main()
