"""`kubectl rlog`: what people ask about a log on Kubernetes, with their own rights.

kubectl runs a program of this name on the PATH. It plans by the operator's own planner and shows
by the code of `replog`; the only objects that it ever makes are tasks.

Decides: that what is missing for it is told in a sentence. Must not know: the operator's process.
Read next: command.py.
"""

import sys


def main() -> None:
    """The program `kubectl-rlog`. Nothing is imported before it is called: it takes a while."""
    try:
        from replog_operator.plugin import command
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # exits.EXIT_INTERRUPTED, which may not be there yet
    except ModuleNotFoundError as problem:
        if problem.name is None or problem.name.partition(".")[0] != "kubernetes":
            raise
        sys.stderr.write(
            "kubectl rlog: the package kubernetes is missing: "
            "python -m pip install 'replicated-log[operator]'\n"
        )
        raise SystemExit(2) from None
    command.main(prog_name="kubectl rlog")
