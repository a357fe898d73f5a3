"""Each code by which the operator waits is explained, and a scenario really comes to it.

Which codes there are is read from the source, which of them are reached from what the planner says
while the scenarios are played: no list is kept by hand.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from replog.wire.codes import WAITS
from tests.scenario.planner.player import played
from tests.scenario.planner.test_planner import FILES
from tests.unit.house.files import ROOT

SOURCES: Final = sorted(
    path
    for part in ("planner", "kube", "local")
    for path in (ROOT / "operator" / "replog_operator" / part).rglob("*.py")
)
CODE_AT: Final = {"Hold": 0, "Wait": 1}
"""Which argument of these calls is the code."""


def emitted(source: str) -> set[str]:
    """Codes of all waits that this source can make."""
    return {
        code
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id in CODE_AT and len(call.args) > 1
        for code in _codes(call.args[CODE_AT[call.func.id]], function)
    }


def _codes(given: ast.expr, function: ast.AST) -> Iterator[str]:
    """The code itself, or what the function gives the name that stands for it."""
    if isinstance(given, ast.Constant):
        yield str(given.value)
    for node in ast.walk(function) if isinstance(given, ast.Name) else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == ast.unparse(given):
            yield from _results(node.value)


def _results(value: ast.expr) -> Iterator[str]:
    """Strings that may come of it: the branches of a choice, the arguments of a call."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*_results(body), *_results(orelse))
        case ast.Call(args=args):
            for arg in args:
                yield from _results(arg)


EMITTED: Final = frozenset().union(*(emitted(path.read_text()) for path in SOURCES))


def test_what_is_read_from_the_source_is_all_of_it() -> None:
    source = """
def one(x):
    code = "A" if x == "no code" else next(iter(x), "B")
    if x: return Hold(code, "")
    return (Wait(lane, "C", ""), Hold("D", "why"))
"""
    assert emitted(source) == {"A", "B", "C", "D"}
    assert len(EMITTED) >= 20


def test_each_wait_of_the_operator_is_in_the_table_and_explained() -> None:
    rows = {row.code: row for row in WAITS}
    assert rows.keys() >= EMITTED, f"no row in replog.wire.codes: {EMITTED - rows.keys()}"
    text = (ROOT / "docs" / "codes.md").read_text()
    unexplained = {code for code in EMITTED if f"`{code}`" not in text}
    assert not unexplained, f"not in docs/codes.md: {unexplained}"


def test_a_scenario_comes_to_each_wait_of_the_operator() -> None:
    said = "\n".join(line for path in FILES for step in played(path) for line in step.outcome)
    reached = set(re.findall(r"waits: (\w+)", said))
    assert reached >= EMITTED, f"no scenario comes to {sorted(EMITTED - reached)}"
