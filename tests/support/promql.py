"""Reads which series and labels a PromQL expression asks for.

It reads names only, no grammar: promtool says whether an expression is one. Source:
Prometheus documentation, "Querying basics" and "Operators".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?")
_MATCHER = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(
    r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_VARIABLE = re.compile(r"\$\{?\w+\}?")


@dataclass(frozen=True)
class Asked:
    """What an expression names: series with their matchers' labels, and groupings."""

    series: tuple[tuple[str, frozenset[str]], ...]
    grouped: frozenset[str]


def asked(expression: str, prefix: str) -> Asked:
    """Read the series whose names begin with `prefix`, and all labels."""
    plain = _RANGE.sub("", _VARIABLE.sub("", _TEXT.sub('""', expression)))
    grouped = {
        label.strip()
        for _, labels in _GROUPING.findall(plain)
        for label in labels.split(",")
        if label.strip()
    }
    series = tuple(
        (name, frozenset(_MATCHER.findall(matchers)))
        for name, matchers in _SELECTOR.findall(_GROUPING.sub(" ", plain))
        if name.startswith(prefix)
    )
    return Asked(series, frozenset(grouped))
