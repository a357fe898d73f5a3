"""The rules that a reader of the sources can check, each a function from a text to its faults.

A fault is `line number: what is wrong`; no fault is an empty list.
"""

import ast
import re
from collections.abc import Iterator

MODULE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
README_LINES_MAX = 200
DOCSTRING_PARTS = ("Decides:", "Must not know:", "Read next:")

# In pieces, so that this file keeps its own rule.
REGISTRY_HOSTS = tuple(
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("crates", "io"),
        ("npmjs", "org"),
        ("proxy", "golang", "org"),
        ("maven", "apache", "org"),
        ("maven", "org"),
        ("deb", "debian", "org"),
    )
)
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
PATCHING = re.compile(r"\bmock\.patch\b|\bimport mock\b|from unittest import mock|unittest\.mock")
BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[)")
# A full stop (or ? or !), perhaps closed by a mark, then a space and what begins a sentence.
SENTENCE_END = re.compile(r"(?<![.\d])[.?!][)`*\"”]*\s+(?=[A-Z(`*\"“])")
SHORTENED = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|etc|No|St)|§\d*)\.$")


def long_module(text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"{lines} lines; {MODULE_LINES_MAX} is the most"] if lines > MODULE_LINES_MAX else []


def long_functions(text: str) -> list[str]:
    faults = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES_MAX:
                faults.append(f"{node.lineno}: {node.name} has {size} lines")
    return faults


def docstring(text: str) -> list[str]:
    """A package's opening may be a map alone; a module says what it decides and must not know."""
    found = ast.get_docstring(ast.parse(text)) or ""
    return [f"1: no `{part}` in the docstring" for part in DOCSTRING_PARTS if part not in found]


def registry_hosts(text: str) -> list[str]:
    lowered = text.lower()
    return [f"names the registry {host}" for host in REGISTRY_HOSTS if host in lowered]


def unfinished(text: str) -> list[str]:
    return [
        f"{number}: {word}"
        for number, line in enumerate(text.splitlines(), 1)
        for word in UNFINISHED
        if re.search(rf"\b{word}\b", line)
    ]


def bare_ignores(text: str) -> list[str]:
    return _matching(text, BARE_IGNORE)


def patching(text: str) -> list[str]:
    return _matching(text, PATCHING)


def sentences(text: str) -> list[str]:
    """One sentence a line, outside of code, tables, headings and quoted output."""
    return [
        f"{number}: more than one sentence on a line"
        for number, line in _prose(text)
        if _sentences_on(line) > 1
    ]


def long_readme(text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"{lines} lines; {README_LINES_MAX} is the most"] if lines > README_LINES_MAX else []


def _matching(text: str, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def _prose(text: str) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith(("#", "|", "    ", ">")):
            yield number, re.sub(r"^\s*(?:[-*]|\d+\.)\s+", "", line)


def _sentences_on(line: str) -> int:
    without_code = re.sub(r"`[^`]*`", "`code`", line)
    ends = [
        end
        for end in SENTENCE_END.finditer(without_code)
        if not SHORTENED.search(without_code[: end.start() + 1])
    ]
    return 1 + len(ends)
