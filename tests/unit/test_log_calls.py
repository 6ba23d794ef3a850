"""No call of a log can name a fact twice: that would raise, far from any test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "bridge"
LOGS = {"log", "_log", "_preparing"}


def clashes(source: str) -> list[int]:
    """Return the lines that give a log names, and unpack others beside them.

    A function may unpack its own `**facts` beside what it takes by name: Python keeps
    the two apart.
    """
    found: list[int] = []
    for call, around in _calls(ast.parse(source), None):
        given = {k.arg for k in call.keywords if k.arg is not None}
        unpacked = [ast.unparse(k.value) for k in call.keywords if k.arg is None]
        if given and unpacked and not _kept_apart(given, unpacked, around):
            found.append(call.lineno)
    return found


def _kept_apart(
    given: set[str], unpacked: list[str], around: ast.arguments | None
) -> bool:
    if around is None or around.kwarg is None:
        return False
    named = {one.arg for one in (*around.args, *around.kwonlyargs)}
    return given <= named and unpacked == [around.kwarg.arg]


def _calls(
    node: ast.AST, around: ast.arguments | None
) -> Iterator[tuple[ast.Call, ast.arguments | None]]:
    """Yield each call of a log, with the arguments of the function around it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        around = node.args
    if isinstance(node, ast.Call) and _name(node.func) in LOGS:
        yield node, around
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, around)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def test_no_call_of_a_log_can_clash() -> None:
    """What is added to facts from elsewhere is merged with them, never put beside."""
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sorted(ROOT.rglob("*.py"))
        if (lines := clashes(path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("line", "clashing"),
    [
        ("self._log(note.event, source=me, **note.facts)", 1),
        ("parts.log(note.event, level='warning', **note.facts)", 1),
        ("def f(event, level, **facts):\n log(event, level=level, **facts)", 0),
        ("def f(event, **facts):\n log(event, source=1, **facts)", 1),
        ("def f(event, level, facts):\n log(event, level=level, **facts)", 1),
        ("log(note.event, **{'source': me, **note.facts})", 0),
        ("log(note.event, **note.facts)", 0),
        ("log('lost', source=me, count=1)", 0),
    ],
)
def test_the_check_sees_what_it_should(line: str, clashing: int) -> None:
    """Made-up calls: those that can clash are found, and no others."""
    assert len(clashes(line)) == clashing
