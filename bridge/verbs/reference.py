"""`python -m bridge.verbs.reference`: the settings' reference page, from the settings.

Prints Markdown; `docs/settings.md` is its output, and a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridge.config.environment import shape
from bridge.config.tree import Settings
from bridge.verbs.out import say

HEAD = """\
# Settings

<!-- Made by `python -m bridge.verbs.reference`; change the descriptions instead. -->

Settings come from one YAML file (`--config FILE` or `FEEDBRIDGE_CONFIG`) and from
environment variables, which win.
A variable's name is `FEEDBRIDGE_` and the setting's path, in capitals, with `__`
between the parts: `kafka.queue_megabytes` is `FEEDBRIDGE_KAFKA__QUEUE_MEGABYTES`.
Lists and mappings are given as JSON; a list of names may also be comma-separated.
In the name of an account, every character but letters and digits becomes `_`:
`finery.desk-a.key` is `FEEDBRIDGE_FINERY__DESK_A__KEY`.

An unknown name is an error, in the file and in the environment.
Secrets come from the environment or from files (`..._file`), never from the settings
file; files are read again for each login.
`feedbridge check` lists all problems at once.
"""
_WORDS: dict[object, str] = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
}
NAMES = {
    "finery": "NAME",
    "cfbenchmarks": "NAME",
    "commands": "TOPIC",
    "limits": "INSTRUMENT",
    "overrides": "STREAM",
}


def main() -> None:
    """Print the page."""
    say(page())


def page() -> str:
    """Return the whole page as Markdown."""
    sections = [
        _table(title, model, path) for title, model, path in sections_of(Settings, "")
    ]
    return "\n".join([HEAD, *sections]).rstrip()


def sections_of(
    model: type[BaseModel], path: str
) -> Iterator[tuple[str, type[BaseModel], str]]:
    """Yield each section's title, model and path, in the order of the settings."""
    if not path:
        yield "General", model, ""
    for name, field in model.model_fields.items():
        held, place = shape(field.annotation), f"{path}.{name}".lstrip(".")
        if held.kind in {"mapping", "list"}:
            held = shape(held.inner)
            place += f".{NAMES[name]}" if name in NAMES else "[]"
        if held.kind == "section":
            yield place, held.inner, place
            yield from sections_of(held.inner, place)


def _table(title: str, model: type[BaseModel], path: str) -> str:
    rows = [
        _row(name, field, path)
        for name, field in model.model_fields.items()
        if field.description
    ]
    text = "" if not path else _sentence(model)
    head = "| Setting | Type | Default | Meaning | Example |\n" + "| --- " * 5 + "|"
    return "\n".join([f"## {title}\n", *([text, ""] if text else []), head, *rows, ""])


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _row(name: str, field: FieldInfo, path: str) -> str:
    place = f"{path}.{name}".lstrip(".")
    cells = (
        f"`{place}`",
        _type(field),
        _default(field),
        field.description or "",
        _code(_plain((field.examples or [""])[0])),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(field: FieldInfo) -> str:
    kinds = [a for a in get_args(field.annotation) if a is not type(None)]
    held = shape(field.annotation).kind
    if held in {"secret", "mapping", "list"}:
        return held
    if kinds and all(isinstance(kind, str) for kind in _choices(field)):
        return " or ".join(f"`{kind}`" for kind in _choices(field))
    plain: object = kinds[0] if kinds else field.annotation
    return _WORDS.get(plain, "text") + _bounds(field)


def _choices(field: FieldInfo) -> tuple[Any, ...]:
    outer = get_args(field.annotation)
    inner = [choice for part in outer for choice in get_args(part)]
    return tuple(inner) or outer


def _bounds(field: FieldInfo) -> str:
    words: list[str] = []
    for rule in field.metadata:
        match rule:
            case Ge(ge=low):
                words.append(f"at least {low}")
            case Gt(gt=low):
                words.append(f"more than {low}")
            case Le(le=high):
                words.append(f"at most {high}")
            case _:
                continue
    return f", {', '.join(words)}" if words else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return ""
    empty = field.default is None or field.default in ("", ())
    return "" if empty else _code(_plain(field.default))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    main()
