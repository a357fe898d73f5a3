"""`python -m tests.torture --minutes 5 --seed 7`: torture real members; see docs/testing.md.

The seed decides which faults come in which order; real time decides the rest, so that a run can't
be repeated exactly. Ends with 0 if nothing is wrong, else with 1, and names the logs it has kept.

Decides: in what order it goes. Must not know: what is wrong.
Read next: room.py, folder.py, run.py.
"""

import argparse
import os
import signal
import sys
from random import SystemRandom

from tests.torture import room
from tests.torture.faults.registry import FAULTS
from tests.torture.folder import claimed, clear_up, sweep
from tests.torture.run import Plan, Result, torture


def main(argv: list[str]) -> int:
    """Run; returns the exit code."""
    options = _options(argv)
    if not options.in_its_room:
        if lacking := room.missing():
            sys.stderr.write(f"no torture here: {lacking}\n")
            return 2
        os.execvp("unshare", room.command(argv))
    room.furnish()
    for number in (signal.SIGTERM, signal.SIGINT):  # also where SIGINT was ignored before
        signal.signal(number, signal.default_int_handler)
    seed = SystemRandom().getrandbits(32) if options.seed is None else options.seed
    faults = [fault for fault in FAULTS if not options.only or fault.name in options.only]
    plan = Plan(options.minutes, seed, faults, options.patience)
    for logs in sweep():
        _say(f"kept of a run that was killed: {logs}")
    _say(f"make torture MINUTES={options.minutes:g} SEED={seed}")
    result = _run(plan)
    for line in [*result.report, *(f"WRONG: {each}" for each in result.wrong)]:
        _say(line)
    return 1 if result.wrong else 0


def _run(plan: Plan) -> Result:
    """Run in a folder of its own; what is kept of it is told."""
    result = Result(["it did not come to its end"])
    with claimed() as folder:
        try:
            result = torture(folder, plan, _say)
        except KeyboardInterrupt:
            result.wrong = ["it was ended before its time"]
        finally:
            kept = clear_up(folder, keep=bool(result.wrong))
            if kept is not None:
                _say(f"kept: {kept}")
    return result


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", action="append", help="a kind of fault; may be repeated")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds, after each fault")
    parser.add_argument("--in-its-room", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
