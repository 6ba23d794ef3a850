"""Checks compiled encoders against fastavro, on values made up from the schema.

It runs at start, once for each schema: an encoder that does not write what the
standard says never writes a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from itertools import islice
from typing import Any

from fastavro import parse_schema, schemaless_writer

from bridge.core.avro_encoder import Encode, FeedLayout, string
from bridge.core.avro_schema import (
    Array,
    Boolean,
    Enum,
    Loose,
    Node,
    Null,
    Number,
    Octets,
    Record,
    Text,
    Union,
)
from bridge.errors import SchemaError

_ROUNDS = 6
_TEXTS = ("", "BTC-USD", "Zürich €", "x" * 200, "-", "0")


def check_whole(schema: Mapping[str, Any], record: Record, encode: Encode) -> None:
    """Compare an `encode(prefix, values)` with fastavro."""
    standard = Standard(schema)
    for values in samples(record):
        _compare(record, standard.write(to_datum(record, values)), encode(b"", values))


def check_feed(
    schema: Mapping[str, Any],
    layout: FeedLayout,
    encode: Encode,
    empty: tuple[Any, ...],
) -> None:
    """Compare a feed record's encoder with fastavro, with and without a boundary."""
    standard, record = Standard(schema), layout.record
    payloads = samples(layout.payload)
    for values in samples(record):
        strings = values[: layout.strings]
        sequence, received, action, boundary = values[layout.strings :][:4]
        payload = next(payloads) if boundary is None else empty
        written = encode(
            b"".join(map(string, strings)),
            *(sequence, received, action, boundary, payload),
        )
        whole = (*values[: layout.strings + 4], *payload)
        _compare(record, standard.write(to_datum(record, whole)), written)


def _compare(record: Record, expected: bytes, written: bytes) -> None:
    if written != expected:
        raise SchemaError(
            f"{record.name}: the compiled encoder wrote {written.hex()}, expected "
            f"{expected.hex()}; report this with the versions of Python and protobuf"
        )


class Standard:
    """Writes records with fastavro."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Parse once, write many."""
        self._schema = parse_schema(dict(schema), _write_hint=False)

    def write(self, datum: Loose) -> bytes:
        """Return the Avro body of a datum in fastavro's terms."""
        stream = BytesIO()
        schemaless_writer(stream, self._schema, datum)
        return stream.getvalue()


def samples(node: Node) -> Iterator[Loose]:
    """Yield a few values of a node, edges among them; always the same ones."""
    return (_sample(node, turn) for turn in range(_ROUNDS))


def _sample(node: Node, turn: int) -> Loose:
    match node:
        case Array(items=items):
            return list(islice(samples(items), turn % _ROUNDS))
        case Union(branches=branches):
            index = turn % len(branches)
            value = _sample(branches[index], turn + 1)
            return value if node.optional else (index, value)
        case Record(fields=fields):
            return tuple(
                _sample(field.node, turn + place) for place, field in enumerate(fields)
            )
        case _:
            edges = _edges(node)
            return edges[turn % len(edges)]


def _edges(node: Node) -> Sequence[Loose]:
    edges: Sequence[Loose] = (None,)
    match node:
        case Boolean():
            edges = (True, False)
        case Number(bits=bits):
            edges = (0, -1, (1 << bits - 1) - 1, -1 << bits - 1, 64, 1_700_000_000)
        case Text():
            edges = _TEXTS
        case Octets(precision=None):
            edges = [text.encode() for text in _TEXTS]
        case Octets(precision=int(digits)):
            edges = (0, -1, 10**digits - 1, 1 - 10**digits, 128, -129)
        case Enum(symbols=symbols):
            edges = range(len(symbols))
    return edges


def to_datum(node: Node, value: Loose) -> Loose:
    """Turn a positional value into what fastavro takes: dicts, symbols, Decimals."""
    match node:
        case Enum(symbols=symbols):
            return symbols[value]
        case Octets(precision=int(), scale=scale):
            digits = tuple(map(int, str(abs(value))))
            return Decimal((int(value < 0), digits, -scale))
        case Array(items=items):
            return [to_datum(items, item) for item in value]
        case Record(fields=fields):
            return {
                field.name: to_datum(field.node, item)
                for field, item in zip(fields, value, strict=True)
            }
        case Union():
            return _branch_datum(node, value)
        case _:
            return value


def _branch_datum(union: Union, value: Loose) -> Loose:
    if not union.optional:
        index, inner = value
        branch = union.branches[index]
        datum = to_datum(branch, inner)
        named = isinstance(branch, Record | Enum)
        return (branch.name, datum) if named else datum
    if value is None:
        return None
    (branch,) = (node for node in union.branches if node != Null())
    return to_datum(branch, value)
