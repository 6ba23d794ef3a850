"""Avro schemas as a tree of values: only what the compiled encoders cover."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bridge.errors import SchemaError

# A part of a schema as JSON has it, or a value whose shape a schema tells.
Loose: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Null:
    """Nothing: no bytes."""


@dataclass(frozen=True, slots=True)
class Boolean:
    """One byte, 0 or 1."""


@dataclass(frozen=True, slots=True)
class Number:
    """`int` (32 bits) or `long` (64 bits), as zigzag varint; `logical`: time unit."""

    bits: int
    logical: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """UTF-8 with its length before it."""


@dataclass(frozen=True, slots=True)
class Octets:
    """Bytes with their length before them; `precision` makes them a decimal."""

    precision: int | None = None
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Enum:
    """The index of one of the symbols."""

    name: str
    symbols: tuple[str, ...]
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Array:
    """Blocks of items; ours are always one block."""

    items: Node


@dataclass(frozen=True, slots=True)
class Union:
    """The index of a branch, and its value."""

    branches: tuple[Node, ...]

    @property
    def optional(self) -> bool:
        """Tell whether this is null and one other type, so None needs no index."""
        return len(self.branches) == 2 and Null() in self.branches  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a record."""

    name: str
    node: Node
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Fields, one after another, with nothing between them."""

    name: str
    fields: tuple[Field, ...] = ()


Node = Null | Boolean | Number | Text | Octets | Enum | Array | Union | Record

_PLAIN: Mapping[str, Node] = {
    "null": Null(),
    "boolean": Boolean(),
    "int": Number(32),
    "long": Number(64),
    "string": Text(),
    "bytes": Octets(),
}


def load(schema: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema as a dict; text is parsed as JSON."""
    if not isinstance(schema, str):
        return dict(schema)
    try:
        loaded = json.loads(schema)
    except ValueError as error:
        raise SchemaError(f"schema is not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise SchemaError("schema is not a JSON object")
    return loaded


def parse(schema: Mapping[str, Any]) -> Record:
    """Build the tree of a record schema.

    Raises:
        SchemaError: not a record, or a feature that the encoders do not cover.
    """
    try:
        node = _Parser().node(schema, "")
    except (KeyError, TypeError, AttributeError) as error:
        raise SchemaError(f"not an Avro schema: {error!r}") from error
    if not isinstance(node, Record):
        raise SchemaError("the outermost schema must be a record")
    return node


class _Parser:
    """Reads one schema, remembering the names that it defines."""

    def __init__(self) -> None:
        self._named: dict[str, Node] = {}

    def node(self, schema: Loose, namespace: str) -> Node:
        if isinstance(schema, str):
            return self._name(schema, namespace)
        if isinstance(schema, list):
            return Union(tuple(self.node(branch, namespace) for branch in schema))
        return self._complex(schema, namespace)

    def _complex(self, schema: Mapping[str, Any], namespace: str) -> Node:
        logical = schema.get("logicalType")
        match schema["type"]:
            case "record":
                return self._record(schema, namespace)
            case "enum":
                return self._enum(schema, namespace)
            case "array":
                return Array(self.node(schema["items"], namespace))
            case "bytes" if logical == "decimal":
                return Octets(int(schema["precision"]), int(schema.get("scale", 0)))
            case "int" | "long" as kind:
                return Number(32 if kind == "int" else 64, logical)
            case inner:
                return self.node(inner, namespace)

    def _name(self, name: str, namespace: str) -> Node:
        if name in _PLAIN:
            return _PLAIN[name]
        for full in (f"{namespace}.{name}", name):
            if full in self._named:
                return self._named[full]
        raise SchemaError(
            f"type {name!r} is neither defined before its use nor covered; "
            f"covered are {', '.join(_PLAIN)}, enum, array, union and record"
        )

    def _record(self, schema: Mapping[str, Any], namespace: str) -> Record:
        full, inner = _full_name(schema, namespace)
        fields = tuple(
            Field(item["name"], self.node(item["type"], inner), "default" in item)
            for item in schema["fields"]
        )
        self._named[full] = record = Record(full, fields)
        return record

    def _enum(self, schema: Mapping[str, Any], namespace: str) -> Enum:
        full, _ = _full_name(schema, namespace)
        enum = Enum(full, tuple(schema["symbols"]), schema.get("default"))
        self._named[full] = enum
        return enum


def _full_name(schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    name: str = schema["name"]
    if "." not in name and (space := schema.get("namespace", namespace)):
        name = f"{space}.{name}"
    return name, name.rpartition(".")[0]
