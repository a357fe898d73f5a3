"""kubectl, as a person runs it.

Decides: nothing. Must not know: what a test wants.
Read next: api.py.
"""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

COMMAND_S = 120
TOLD = ("KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
"""Where they keep what a cluster told them: not with that of the person's other clusters."""


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    output: str
    complaint: str


class Program:
    """A program that reads KUBECONFIG: kubectl, helm. Runs where its caller is."""

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self._program = program
        own = {name: str(kubeconfig.parent / "told") for name in TOLD}
        self._env = {**os.environ, **own, "KUBECONFIG": str(kubeconfig)}

    def run(self, *arguments: str, said: str = "", timeout_s: float = COMMAND_S) -> Done:
        """Run it with these arguments, whatever comes of it."""
        done = subprocess.run(
            [str(self._program), *arguments], input=said, env=self._env, timeout=timeout_s,
            capture_output=True, text=True,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr.strip())

    def __call__(self, *arguments: str, said: str = "", timeout_s: float = COMMAND_S) -> str:
        """Run it; what it printed. Raises OSError with its complaint."""
        done = self.run(*arguments, said=said, timeout_s=timeout_s)
        if done.code:
            raise OSError(f"{self._program.name} {' '.join(arguments)}: {done.complaint}")
        return done.output
