"""How verbs speak: a plain table for people, or one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def say(text: str = "") -> None:
    """Write one line to standard output."""
    sys.stdout.write(f"{text}\n")


def say_json(value: Any) -> None:  # noqa: ANN401 - anything JSON can hold
    """Write one JSON document on one line; exact decimals become text."""
    say(json.dumps(value, default=str, ensure_ascii=False))


def printable(line: str) -> str:
    """Replace what would steer a terminal: anybody may have written the records."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with aligned columns, numbers to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    wide = [max(map(len, column)) for column in zip(headers, *texts, strict=True)]
    rows = list(rows)
    lines = [_line(headers, wide), _line(["-" * width for width in wide], wide)]
    return "\n".join([*lines, *(_line(row, wide) for row in texts)])


def _text(cell: object) -> str:
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _line(cells: Sequence[str], wide: Sequence[int]) -> str:
    parts = [
        cell.rjust(width) if cell[:1].isdigit() and cell.replace(",", "").isdigit()
        else cell.ljust(width)
        for cell, width in zip(cells, wide, strict=True)
    ]  # fmt: skip
    return "  ".join(parts).rstrip()
