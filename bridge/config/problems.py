"""Turns what pydantic finds wrong into lines for people, and keeps what is right.

A line says which setting, what was seen (never a secret), and what to do.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.config.environment import Shape, Tree, below, near, shape

# Stands for a subscription that could not be read; the rules pass it over.
DROPPED = "dropped"

M = TypeVar("M", bound=BaseModel)
Loc = tuple[int | str, ...]
Node = Any  # a place in a tree of mappings, lists and plain values

# pydantic's error type -> what was expected, from its context.
_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "int_parsing": lambda _: "give a whole number",
    "int_type": lambda _: "give a whole number",
    "int_from_float": lambda _: "give a whole number",
    "float_parsing": lambda _: "give a number",
    "float_type": lambda _: "give a number",
    "finite_number": lambda _: "give a finite number",
    "bool_parsing": lambda _: "give true or false",
    "bool_type": lambda _: "give true or false",
    "string_type": lambda _: "give a text",
    "string_too_short": lambda _: "give a text that is not empty",
    "string_pattern_mismatch": lambda c: f"give a text that matches {c['pattern']}",
    "path_type": lambda _: "give a path",
    "tuple_type": lambda _: "give a list",
    "dict_type": lambda _: "give a mapping",
    "model_type": lambda _: "give a mapping of settings",
    "literal_error": lambda c: f"give {c['expected']}",
    "greater_than": lambda c: f"give more than {c['gt']:g}",
    "greater_than_equal": lambda c: f"give at least {c['ge']:g}",
    "less_than_equal": lambda c: f"give at most {c['le']:g}",
}
# Where a setting takes a number or one of a few words, what was seen may be shown.
_SHOWN = re.compile(r"int_|float_|bool_|literal|greater|less|finite|from_")
_SHAPES = ((bool, "a truth value"), (int | float, "a number"), (str, "a text"),
           (dict, "a mapping"), (list | tuple, "a list"))  # fmt: skip


class Broken(NamedTuple):
    """A rule that does not hold: the setting's path, and a sentence."""

    path: str
    sentence: str


def salvage(model: type[M], tree: Tree) -> tuple[M, list[str]]:
    """Build `model` from what is right in `tree`; return it and the other problems."""
    problems: dict[Loc, str] = {}
    cuts: set[Loc] = set()
    kept = copy.deepcopy(tree)
    while True:
        try:
            return model(**kept), list(problems.values())
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                _note(problems, fault, model)
                _cut(kept, _place_to_cut(fault, cuts))


def _place_to_cut(fault: ErrorDetails, cuts: set[Loc]) -> Loc:
    """Choose what to remove; a place that was cut in vain gives way to its parent."""
    loc: Loc = fault["loc"][:-1] if fault["type"] == "missing" else fault["loc"]
    while loc in cuts and len(loc) > 1:
        loc = loc[:-1]
    cuts.add(loc)
    return loc


def _note(
    problems: dict[Loc, str], fault: ErrorDetails, model: type[BaseModel]
) -> None:
    loc: Loc = fault["loc"]
    if not any(loc[:depth] in problems for depth in range(len(loc) + 1)):
        problems[loc] = f"{dotted(loc)}: {_sentence(fault, model)}"


def dotted(loc: Sequence[int | str]) -> str:
    """Return a place in the tree as the settings' reference writes it."""
    return ".".join(str(part) for part in loc)


def _sentence(fault: ErrorDetails, model: type[BaseModel]) -> str:
    kind, seen = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        hint = near(str(fault["loc"][-1]), _names_at(model, fault["loc"][:-1]))
        return f"no such setting{hint or '; see docs/settings.md, or remove it'}"
    if kind == "missing":
        return "is missing; add it"
    expected = _EXPECTED.get(kind)
    advice = expected(fault.get("ctx", {})) if expected else str(fault["msg"])
    return f"{_seen(seen, shown=bool(_SHOWN.match(kind)))} was seen; {advice}"


def _seen(value: object, *, shown: bool) -> str:
    if shown and isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:18]}...{text[-18:]}"  # noqa: PLR2004
    words = [word for kind, word in _SHAPES if isinstance(value, kind)]
    return words[0] if words else "nothing" if value is None else "something else"


def _names_at(model: type[BaseModel], loc: Loc) -> list[str]:
    held = Shape("section", model)
    for part in loc:
        held = shape(below(held, part))
    return list(held.inner.model_fields) if held.kind == "section" else []


def _cut(tree: Node, loc: Loc) -> None:
    for part in loc[:-1]:
        if not _has(tree, part):
            return
        tree = tree[part]
    if isinstance(tree, list) and _has(tree, loc[-1]):
        tree[int(loc[-1])] = {"subscription": DROPPED}  # the other indices must hold
    elif loc and _has(tree, loc[-1]):
        del tree[loc[-1]]


def _has(tree: object, part: int | str) -> bool:
    if isinstance(tree, list) and isinstance(part, int):
        return part < len(tree)
    return isinstance(tree, dict) and part in tree
