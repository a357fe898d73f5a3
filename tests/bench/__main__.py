"""Run the benchmark: `python -m tests.bench [etcd replog nats kafka] [put http one …] [--write]`.

Decides: the order. Must not know: how anything is measured. Read next: plan.py, replog.py.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import etcd, kafka, nats, peers, replog
from tests.bench.plan import SYSTEMS, WORKLOADS, Plan
from tests.bench.report import Result, machine, rows, write

MEASURES = {
    "etcd": etcd.measure,
    "replog": replog.measure,
    "nats": nats.measure,
    "kafka": kafka.measure,
}


def main() -> None:
    """Measure what is asked for and show the table."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…")
    parser.add_argument("names", nargs="*", choices=[*SYSTEMS, *WORKLOADS, []], metavar="NAME")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement, about")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md, too")
    asked = parser.parse_args()
    results, left_out = _measured(Plan(frozenset(asked.names), asked.seconds))
    _say("\n" + machine())
    for line in rows(results):
        _say(line)
    for what in left_out:
        _say(f"left out: {what}")
    if asked.write:
        write(results, left_out)


def _measured(plan: Plan) -> tuple[list[Result], list[str]]:
    results: list[Result] = []
    left_out: list[str] = []
    for system in SYSTEMS:
        if not plan.wants(system):
            continue
        peers.cache().mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="run-", dir=peers.cache()))
        began_s = time.monotonic()
        try:
            for result in MEASURES[system](plan, place):
                results.append(result)
                _say(rows([result])[-1])
        except peers.LeftOut as why:
            left_out.append(f"{system}: {why}")
        finally:
            shutil.rmtree(place, ignore_errors=True)
        _say(f"({system}: {time.monotonic() - began_s:.0f} s)")
    return results, left_out


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
