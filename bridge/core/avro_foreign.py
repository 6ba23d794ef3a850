"""Makes a writer's schema ready to read with, if that stays within bounds.

Whoever may write a record may choose its schema. fastavro reads in C and knows no
limits: a type that contains itself ends the process (one frame of the stack for each
byte of the record), and items that take no bytes keep it busy for as long as ten bytes
say. Within the bounds below, a byte makes at most `MOST_WRAPPED` records, of about
200 bytes each, and the stack has at most `MOST_DEPTH` frames.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from typing import NamedTuple

from fastavro import parse_schema
from fastavro.schema import SchemaParseException

from bridge.core.avro_schema import Loose
from bridge.errors import SchemaError

UNREADABLE = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    EOFError,
    ArithmeticError,
    RecursionError,
    struct.error,
    SchemaParseException,
)
"""What fastavro raises for a schema or a value that cannot be read."""

MOST_DEPTH = 100
"""Types within each other, references followed; the bundled schemas have 8 at most."""

TOLD = 200
"""Characters that are told of what a stranger wrote."""

MOST_WRAPPED = 4
"""Records of one field within each other, which share their bytes."""

WORDS = frozenset(
    {
        *("null", "boolean", "int", "long", "float", "double", "bytes", "string"),
        *("record", "enum", "array", "map", "fixed", "union"),
        *("error", "error_union", "request"),
    }
)
"""Words of Avro: fastavro takes them for what they mean, also where they are names."""

_PARTS = ("type", "fields", "items", "values")
_PLAIN = ("name", "namespace", "symbols", "size", "precision", "scale")
_PRIMITIVES = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
)


def readable(schema: Loose, logical: Collection[str] = ()) -> Loose:
    """Return the schema as fastavro reads with it, with these logical types alone.

    Raises:
        SchemaError: not an Avro schema, or reading with it would have no bounds.
    """
    try:
        parsed = parse_schema(_bare(schema, logical), {})
        _Extents().of(parsed)
    except UNREADABLE as error:
        seen = repr(error)[:TOLD]
        raise SchemaError(f"the schema does not fit Avro: {seen}") from error
    return parsed


def _bare(schema: Loose, logical: Collection[str]) -> Loose:
    """Keep what reading needs: a stranger may write the library's own marks, too."""
    if isinstance(schema, list):
        return [_bare(part, logical) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: schema[key] for key in _PLAIN if key in schema}
    if schema.get("logicalType") in logical:
        kept["logicalType"] = schema["logicalType"]
    parts = {key: _bare(schema[key], logical) for key in _PARTS if key in schema}
    return kept | parts


class _Extent(NamedTuple):
    """What a type takes: types within each other, and whether it may take no bytes.

    `wrapped` counts the records that begin and end with the same bytes.
    """

    depth: int
    empty: bool
    wrapped: int = 0


class _Extents:
    """Measures the types of one parsed schema, in which every name is a full one."""

    def __init__(self) -> None:
        self._named: dict[str, _Extent | None] = {}

    def of(self, node: Loose) -> _Extent:
        if isinstance(node, list):  # the index of the branch takes a byte
            return _within([self.of(branch) for branch in node], empty=False)
        if isinstance(node, Mapping):
            return self._complex(node)
        if node in _PRIMITIVES:
            return _Extent(1, empty=node == "null")
        if (known := self._named[node]) is None:
            raise SchemaError(
                f"schema: {node[:TOLD]} contains itself, which is not read"
            )
        return known

    def _complex(self, node: Mapping[str, Loose]) -> _Extent:
        match node["type"]:
            case "record" | "error":
                return self._record(node)
            case "enum":
                return self._keep(node, _Extent(1, empty=False))
            case "fixed":
                return self._keep(node, _Extent(1, empty=node["size"] < 1))
            case "array":
                return _within([self._filled("items", node["items"])], empty=False)
            case "map":  # each key takes a byte
                return _within([self.of(node["values"])], empty=False)
            case inner:
                return self.of(inner)

    def _record(self, node: Mapping[str, Loose]) -> _Extent:
        self._name(node, None)
        fields = [self._filled(part["name"], part["type"]) for part in node["fields"]]
        whole = _within(fields, empty=not fields)
        wrapped = 1 + (fields[0].wrapped if len(fields) == 1 else 0)
        if wrapped > MOST_WRAPPED:
            told = f"more than {MOST_WRAPPED} records of one field within each other"
            raise SchemaError(f"schema: {told}, which is not read")
        return self._keep(node, whole._replace(wrapped=wrapped))

    def _filled(self, name: str, node: Loose) -> _Extent:
        extent = self.of(node)
        if extent.empty:
            raise SchemaError(
                f"schema: {name[:TOLD]} may take no bytes, which is not read"
            )
        return extent

    def _keep(self, node: Mapping[str, Loose], extent: _Extent) -> _Extent:
        self._name(node, extent)
        return extent

    def _name(self, node: Mapping[str, Loose], extent: _Extent | None) -> None:
        if (name := node["name"]) in WORDS:
            raise SchemaError(f"schema: a type has the name {name}, a word of Avro")
        self._named[name] = extent


def _within(parts: list[_Extent], *, empty: bool) -> _Extent:
    depth = 1 + max((part.depth for part in parts), default=0)
    if depth > MOST_DEPTH:
        raise SchemaError(f"schema: more than {MOST_DEPTH} types within each other")
    return _Extent(depth, empty)
