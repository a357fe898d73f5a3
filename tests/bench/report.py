"""What was measured, as a table with ratios to etcd, on the screen and in docs/performance.md.

Decides: the table's form. Must not know: how it was measured. Read next: parts.py.
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.processes import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN = "<!-- bench: written by `make bench ARGS=--write` -->"
END = "<!-- bench: end -->"


class Result(NamedTuple):
    """One line. rate: of `unit` per second; 0 where only a latency counts.

    against: the name of etcd's line that it is compared with; target: the least ratio wanted, or
    the least rate where there is nothing to compare with.
    """

    name: str
    system: str
    rate: float
    unit: str
    p50_ms: float | None = None
    p99_ms: float | None = None
    note: str = ""
    against: str = ""
    target: float = 0.0


def rows(results: Sequence[Result]) -> list[str]:
    """The table's lines, in Markdown."""
    known = {(result.system, result.name): result for result in results}
    lines = [
        "| what | system | per second | p50 ms | p99 ms | to etcd | wanted | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        ratio = _ratio(result, known.get(("etcd", result.against)))
        lines.append(
            f"| {result.name} | {result.system} | {_rate(result)} | {_ms(result.p50_ms)} | "
            f"{_ms(result.p99_ms)} | {ratio} | {_wanted(result)} | {result.note} |"
        )
    return lines


def machine() -> str:
    """Commit and machine, in one sentence."""
    commit = _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else "")
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")),
        platform.machine(),
    )
    return (
        f"Commit {commit}, Python {platform.python_version()}, {os.cpu_count()} cores ({model}), "
        f"Linux {platform.release()}."
    )


def write(results: Sequence[Result], left_out: Sequence[str]) -> None:
    """Put the table between the marks of docs/performance.md."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    missing = "".join(f"Left out: {what}.\n" for what in left_out)
    table = "\n".join(rows(results))
    DOCUMENT.write_text(f"{before}{BEGIN}\n{machine()}\n{missing}\n{table}\n{END}{after}")


def _ratio(result: Result, other: Result | None) -> str:
    """Rates as ours to theirs; where only latency counts, theirs to ours: more is better."""
    if other is None or other is result:
        return ""
    if result.against == "one caller" and result.p50_ms and other.p50_ms:
        return f"{other.p50_ms / result.p50_ms:.2f} (latency)"
    return f"{result.rate / other.rate:.2f}" if other.rate else ""


def _wanted(result: Result) -> str:
    if not result.target:
        return ""
    return f"≥ {result.target:g}" + ("" if result.against else f" {result.unit}")


def _rate(result: Result) -> str:
    return f"{result.rate:,.0f} {result.unit}" if result.rate else ""


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
