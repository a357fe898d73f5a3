"""What the tests read in a Markdown file: fenced blocks, headings, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line on which the text begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """One `$ command` of a console block, and the output that the document shows for it.

    expected: the lines below it; `…` stands for anything, alone on a line for any lines.
    """

    line: int
    text: str
    expected: tuple[str, ...]


def blocks(text: str) -> Iterator[Block]:
    opened: tuple[str, int] | None = None
    collected: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            collected.append(line)
        elif opened is None:
            opened, collected = (line.removeprefix("```").strip(), number + 1), []
        else:
            yield Block(language=opened[0], text="\n".join(collected), line=opened[1])
            opened = None


def commands(block: Block) -> Iterator[Command]:
    """Read a console block: a line `$ …` is typed, `> …` continues it, others are its output."""
    typed: list[str] = []
    expected: list[str] = []
    begun = block.line
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            if typed:
                yield Command(begun, "\n".join(typed), tuple(expected))
            typed, expected, begun = [line[2:]], [], number
        elif line.startswith("> ") and not expected:
            typed.append(line[2:])
        else:
            expected.append(line)
    if typed:
        yield Command(begun, "\n".join(typed), tuple(expected))


def as_shown(expected: tuple[str, ...], printed: str) -> bool:
    """Tell whether what was printed is what the document shows; no lines shown: anything is."""
    if not expected:
        return True
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else r"[^\n]*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in (line.rstrip() for line in expected)
    )
    tidied = "".join(line.rstrip() + "\n" for line in printed.splitlines())
    return re.fullmatch(pattern, tidied) is not None


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, made as code hosts make them."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def links(text: str) -> Iterator[tuple[int, str]]:
    """Return the targets of inline links, with their lines, outside of code."""
    without_blocks = re.sub(
        r"^```.*?^```",
        lambda block: "\n" * block[0].count("\n"),
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    for number, line in enumerate(without_blocks.splitlines(), 1):
        for found in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            yield number, found[1]
