"""The images of a cluster, built without a registry: for pods to pause in, and our own.

The base of our own is a stand-in for the official Python image, which only a registry has: Debian's
Python, put together by mmdebstrap from Debian's packages.

Decides: how images are built, and where their archives lie. Must not know: who runs them.
Read next: dockerfiles/, ../../Dockerfile.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.locks import alone
from tests.cluster.versions import CACHE, HERE, ROOT, key

OURS = "localhost/replicated-log:test"
NEWER = "localhost/replicated-log:newer"
"""Ours as a later version may be: one feature level more, and a kind of record that ours refuses
(newer_script.py)."""
PAUSE = "localhost/pause:1"
DEBIAN = ("bookworm", "python3,python3-venv,python-is-python3,ca-certificates")
"""The release whose Python is the one of the Dockerfile's own base, and what is taken of it."""

NEEDED = ("buildah", "mmdebstrap", "gcc", "tar")
STORE = CACHE / "layers"
ARCHIVES = CACHE / "images"
DOCKERFILES = HERE / "dockerfiles"
CONTEXT = (
    "Dockerfile", "LICENSE", "README.md", "node", "operator", "pyproject.toml",
    "requirements-dev.lock", "requirements.lock",
)  # fmt: skip
"""What our image is made of: as .dockerignore lets in."""

IMAGES_MAX = 500
"""So many images, layers counted, are kept to build on; then all are made anew."""

ARCHIVES_MAX = 12
"""So many archives of our image, and of the newer one, are kept, for so many working trees."""

BUILD_S = 900
FROM_THE_MACHINE = ("/etc/ssl/certs", "/etc/pip.conf")
"""How this machine reaches a package index; seen while building, and in no image."""


def missing() -> str:
    """Which commands are missing, for people; empty if none is."""
    lacking = [command for command in NEEDED if shutil.which(command) is None]
    return f"commands are missing: {', '.join(lacking)}" if lacking else ""


def ensure() -> list[Path]:
    """Build what is missing; the archives to load. Raises OSError with the builder's words."""
    with alone(CACHE / "layers.lock"):
        ours = _ours()
        return [_pause(), ours, _newer(ours)]


def _pause() -> Path:
    source = DOCKERFILES / "pause"
    archive = ARCHIVES / f"pause-{key(source.iterdir())}.tar"
    if not archive.exists():
        context = _emptied(CACHE / "building")
        _run("gcc", "-Os", "-static", "-s", "-o", str(context / "pause"), str(source / "pause.c"))
        _build(PAUSE, source / "Dockerfile", context)
        _write(PAUSE, archive)
    return archive


def _ours() -> Path:
    base = f"localhost/python:{key([DOCKERFILES / 'base' / 'Dockerfile'], *DEBIAN)}"
    archive = ARCHIVES / f"ours-{key(_sources(), base)}.tar"
    if archive.exists():
        os.utime(archive)
        return archive
    _forget_too_many()
    if not _is_known(base):
        _build_base(base)
    shared = [f"--volume={each}:{each}:ro" for each in FROM_THE_MACHINE if Path(each).exists()]
    _build(OURS, ROOT / "Dockerfile", ROOT, f"--build-arg=BASE={base}", "--layers", *shared)
    _write(OURS, archive)
    _drop_old_archives("ours")
    return archive


def _newer(ours: Path) -> Path:
    """On top of the archive, since the name of ours may stand for another working tree by now."""
    dockerfile, script = DOCKERFILES / "newer" / "Dockerfile", HERE / "newer_script.py"
    archive = ARCHIVES / f"newer-{key([dockerfile, script], ours.name)}.tar"
    if archive.exists():
        os.utime(archive)
        return archive
    context = _emptied(CACHE / "building")
    shutil.copy(script, context)
    _buildah("pull", "--quiet", f"oci-archive:{ours}")
    _build(NEWER, dockerfile, context, f"--build-arg=BASE={OURS}", "--layers")
    _write(NEWER, archive)
    _drop_old_archives("newer")
    return archive


def _sources() -> Iterable[Path]:
    for name in CONTEXT:
        path = ROOT / name
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (f for f in found if f.is_file() and "__pycache__" not in f.parts)


def _build_base(name: str) -> None:
    context = _emptied(CACHE / "building")
    release, packages = DEBIAN
    _run(
        "mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        release, str(context / "base.tar"),
    )  # fmt: skip
    _build(name, DOCKERFILES / "base" / "Dockerfile", context)


def _build(name: str, dockerfile: Path, context: Path, *more: str) -> None:
    """RUN steps see the machine's network; nothing is ever fetched from a registry of images."""
    _buildah(
        "build", "--isolation=chroot", "--pull-never", *more, f"--tag={name}",
        f"--file={dockerfile}", str(context),
    )  # fmt: skip


def _write(name: str, archive: Path) -> None:
    """Write an archive under another name first: one that is there is whole."""
    ARCHIVES.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    _buildah("push", "--quiet", "--disable-compression", name, f"oci-archive:{unfinished}:{name}")
    unfinished.rename(archive)


def _is_known(name: str) -> bool:
    return bool(_buildah("images", "--noheading", "--quiet", "--filter", f"reference={name}"))


def _forget_too_many() -> None:
    if len(_buildah("images", "--all", "--quiet").splitlines()) > IMAGES_MAX:
        _buildah("rmi", "--all", "--force")


def _drop_old_archives(name: str) -> None:
    by_age = sorted(ARCHIVES.glob(f"{name}-*.tar"), key=lambda each: each.stat().st_mtime)
    for archive in by_age[:-ARCHIVES_MAX]:
        archive.unlink()


def _emptied(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def _buildah(*arguments: str) -> str:
    """buildah with a store of our own: no other image of the machine is touched."""
    own = (f"--root={STORE}/storage", f"--runroot={STORE}/run")
    return _run("buildah", *own, *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, cwd=CACHE)
    if done.returncode:
        raise OSError(f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Build what is missing, and say where it is."""
    sys.stdout.write("".join(f"{archive}\n" for archive in ensure()))


if __name__ == "__main__":
    main()
