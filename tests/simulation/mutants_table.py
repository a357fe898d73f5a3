"""`make mutants`: hunt every known bug, and write down which seed found it and what it saw.

Decides: the table in docs/testing.md. Must not know: which bugs there are.
Read next: mutation.py, mutants.py.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.simulation.mutants import MUTANTS
from tests.simulation.mutation import ROOT, SEEDS, Found, Mutant, Slip, hunt, put_in

PAGE: Final = ROOT / "docs" / "testing.md"
BEGIN: Final = "<!-- mutants: written by `make mutants ARGS=--write` -->"
END: Final = "<!-- end of mutants -->"
SAID_CHARS: Final = 110
"""What was seen is cut off behind so many characters: the seed shows the rest."""

AT_ONCE: Final = 2
"""Hunts beside each other: CI has two cores."""


def hunted(mutant: Mutant) -> Found | Slip | None:
    """Put it in, hunt it, and say on the way what came of it.

    A seed that fails without the bug, too, has caught nothing.
    """
    with TemporaryDirectory() as folder, TemporaryDirectory() as clean:
        found: Found | Slip | None
        try:
            put_in(mutant, Path(folder))
            found = hunt(mutant, Path(folder), SEEDS)
            if found is not None and hunt(mutant, Path(clean), [found.seed]) is not None:
                found = Slip(f"seed {found.seed} {mutant.focus} fails without any bug")
        except Slip as slip:
            found = slip
        except subprocess.TimeoutExpired:
            found = None
    word = f"seed {found.seed}: {found.what}" if isinstance(found, Found) else str(found)
    sys.stdout.write(f"{mutant.name}: {word}\n")
    sys.stdout.flush()
    return found


def row(mutant: Mutant, found: Found | None) -> str:
    """The mutant's line in the table."""
    shows = f" ({mutant.shows})" if mutant.shows else ""
    where = f" of `{mutant.focus}`" if mutant.focus else ""
    caught = f"{found.seed}{where} | {seen(found.what)}" if found else f"not yet | {mutant.unseen}"
    return f"| {mutant.name}{shows} | {mutant.source} | {caught} |"


def seen(what: str) -> str:
    """What was seen, as a cell: without the wrappings, on one line, not too long."""
    bare = re.sub(r"^(Broken|AssertionError|ValueError): ", "", what)
    bare = re.sub(r"^(Broken|AssertionError|ValueError): ", "", bare)
    plain = re.sub(r"\s+", " ", bare).replace("|", "/").replace(". ", "; ")
    return plain if len(plain) <= SAID_CHARS else plain[:SAID_CHARS].rstrip() + " …"


def table_of(page: str) -> str:
    """What stands between the two comments. Raises ValueError without them."""
    before, found, after = page.partition(BEGIN)
    table, ended, _ = after.partition(END)
    if not (before and found and ended):
        raise ValueError(f"{PAGE.name} has no place for the table of mutants")
    return table


def names_in(page: str) -> list[str]:
    """The mutants that a page's table names, in its order."""
    rows = [line.split(" | ")[0] for line in table_of(page).splitlines() if line.startswith("| ")]
    return [re.sub(r" \([^()]*\)$", "", cell.removeprefix("| ")) for cell in rows[1:]]


def written(page: str, rows: Sequence[str]) -> str:
    """The page with these rows in its table."""
    head = ["| mutant | who had it | seeds needed | what caught it |", "|---|---|---|---|"]
    table = "\n\n" + "\n".join([*head, *rows]) + "\n\n"
    return page.replace(BEGIN + table_of(page) + END, BEGIN + table + END)


def main(arguments: Sequence[str]) -> int:
    """Hunt; 0 if all were caught. -k: only those whose names have this; --write: the table."""
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("-k", default="", metavar="NAME", help="those whose name holds this")
    parser.add_argument("--write", action="store_true", help="write the table to docs/testing.md")
    asked = parser.parse_args(arguments)
    mutants = [mutant for mutant in MUTANTS if asked.k in mutant.name]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(zip(mutants, pool.map(hunted, mutants), strict=True))
    missed = [m.name for m, found in results if not isinstance(found, Found) and not m.unseen]
    rows = [row(m, found if isinstance(found, Found) else None) for m, found in results]
    caught = sum(isinstance(found, Found) for _, found in results)
    sys.stdout.write(f"{caught} of {len(mutants)} caught within {len(SEEDS)} seeds\n")
    sys.stdout.writelines(f"not caught: {name}\n" for name in missed)
    if asked.write and not missed and not asked.k:
        PAGE.write_text(written(PAGE.read_text(), rows))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
