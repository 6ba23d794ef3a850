"""`python -m tests.support.chart_values`: what is made from the chart's values.yaml.

Writes values.schema.json and the table of README.md. Each value's comment is its
description; a line `# @schema {...}` adds to the schema that its default gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHART = Path(__file__).parents[2] / "helm" / "feedbridge"
MARK = "# @schema "
BEGIN = "<!-- values: made by `python -m tests.support.chart_values` -->"
END = "<!-- end of values -->"
Schema = dict[str, Any]

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
_SELECTOR = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matchExpressions": {"type": "array", "items": {"type": "object"}},
    },
}
DEFINITIONS: Schema = {
    "peer": {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            "namespaceSelector": _SELECTOR,
            "podSelector": _SELECTOR,
            "ipBlock": {
                "type": "object",
                "additionalProperties": False,
                "required": ["cidr"],
                "properties": {
                    "cidr": {"type": "string", "minLength": 1},
                    "except": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
}


class Value(NamedTuple):
    """One value of the chart; `inner` are those below it."""

    path: str
    text: str
    extra: Schema
    default: Any
    inner: tuple[Value, ...]


def values(text: str) -> tuple[Value, ...]:
    """Read an annotated values file; raises ValueError where a comment is missing."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("the values file is no mapping")  # noqa: TRY004 # of the text
    return tuple(_read(root, "", text.splitlines()))


def schema(read: tuple[Value, ...]) -> Schema:
    """Return the JSON Schema of the whole values file."""
    inside = _object(read)
    # Helm hands this one to every chart that is part of another.
    inside["properties"]["global"] = {"type": "object"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the feedbridge chart",
        **inside,
        "definitions": DEFINITIONS,
    }


def table(read: tuple[Value, ...]) -> str:
    """Return the README's table: a line a value that has none below it."""
    lines = ["| Value | Default | Meaning |", "| --- | --- | --- |"]
    for value in _leaves(read):
        default = json.dumps(value.default)
        shown = default.replace("|", "\\|")
        lines.append(f"| `{value.path}` | `{shown}` | {value.text} |")
    return "\n".join(lines)


def made(chart: Path = CHART) -> dict[Path, str]:
    """Return each made file with the text that it should have."""
    read = values((chart / "values.yaml").read_text("utf-8"))
    readme = (chart / "README.md").read_text("utf-8")
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        chart / "values.schema.json": json.dumps(schema(read), indent=2) + "\n",
        chart / "README.md": f"{before}{BEGIN}\n\n{table(read)}\n\n{END}{after}",
    }


def main() -> None:
    """Write the made files."""
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")


def _read(node: yaml.MappingNode, path: str, lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        name = f"{path}{key.value}"
        text, extra = _comment(lines, key.start_mark.line)
        within = _within(value, extra)
        if not text and not within:
            raise ValueError(f"{name} has no comment")
        inner = tuple(_read(value, f"{name}.", lines)) if within else ()
        yield Value(name, text, extra, _plain(value), inner)


def _within(node: yaml.Node, extra: Schema) -> bool:
    """Tell whether a mapping's names are values of their own."""
    is_free = isinstance(extra.get("additionalProperties"), dict)
    return isinstance(node, yaml.MappingNode) and bool(node.value) and not is_free


def _plain(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node))


def _comment(lines: list[str], line: int) -> tuple[str, Schema]:
    """Return the text of the comment right above a line, and what it adds."""
    block: list[str] = []
    while line > 0 and lines[line - 1].strip().startswith("#"):
        line -= 1
        block.insert(0, lines[line].strip())
    extra: Schema = {}
    for one in block:
        if one.startswith(MARK):
            extra |= json.loads(one.removeprefix(MARK))
    texts = [one.removeprefix("#").strip() for one in block if not one.startswith(MARK)]
    return " ".join(texts), extra


def _object(read: tuple[Value, ...]) -> Schema:
    names = {value.path.rpartition(".")[2]: _schema_of(value) for value in read}
    return {"type": "object", "additionalProperties": False, "properties": names}


def _schema_of(value: Value) -> Schema:
    described: Schema = {"description": value.text} if value.text else {}
    return described | _shape(value) | value.extra


def _shape(value: Value) -> Schema:
    if value.inner:
        return _object(value.inner)
    if isinstance(value.default, dict):
        return {"type": "object", "default": value.default}
    if isinstance(value.default, list):
        return {"type": "array", "default": value.default}
    return {"type": _TYPES[type(value.default)], "default": value.default}


def _leaves(read: tuple[Value, ...]) -> Iterator[Value]:
    for value in read:
        if value.inner:
            yield from _leaves(value.inner)
        else:
            yield value


if __name__ == "__main__":
    main()
