"""For any schema and any value, our bytes are fastavro's, and anyone can read them."""

from __future__ import annotations

import io
import json
from itertools import count
from typing import Any

import avro.io
import avro.schema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.avro_check import Standard, to_datum
from bridge.core.avro_encoder import compile_whole, feed_layout
from bridge.core.avro_foreign import _bare
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
    load,
    parse,
)
from bridge.core.avro_varint import python_pack, read_long, upb_packer
from bridge.core.codec import Codec, Decoder, RecordHeader
from bridge.core.model import BoundaryFields
from bridge.edge.schemas import bundled

PACKS = {"upb": upb_packer(), "python": python_pack}
PRIMITIVES = ("long", "int", "boolean", "string", "bytes", "null")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CODEC = Codec(bundled())
TREES = {name: CODEC.record(name) for name in CODEC.names()}


class _Maker:
    """Draws one random record schema; every named type has a name of its own."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._numbers = count()

    def record(self, depth: int) -> Loose:
        size = self._draw(st.integers(0, 6))
        fields = [{"name": f"f{n}", "type": self.node(depth)} for n in range(size)]
        return {"type": "record", "name": self._name(), "fields": fields}

    def node(self, depth: int) -> Loose:
        plain = (*PRIMITIVES, "decimal", "enum")
        nested = ("array", "array", "union", "choice", "record", "flat")
        kind = self._draw(st.sampled_from(plain + (nested if depth else ())))
        make = getattr(self, f"_{kind}", None)
        return make(depth - 1) if make else kind

    def _decimal(self, _depth: int) -> Loose:
        digits = self._draw(st.integers(1, 38))
        scale = self._draw(st.integers(0, digits))
        decimal = {"type": "bytes", "logicalType": "decimal"}
        return {**decimal, "precision": digits, "scale": scale}

    def _enum(self, _depth: int) -> Loose:
        size = self._draw(st.integers(1, 70))
        symbols = [f"S{n}" for n in range(size)]
        return {"type": "enum", "name": self._name(), "symbols": symbols}

    def _array(self, depth: int) -> Loose:
        return {"type": "array", "items": self.node(depth)}

    def _flat(self, _depth: int) -> Loose:
        fields = [{"name": f"f{n}", "type": "long"} for n in range(3)]
        row = {"type": "record", "name": self._name(), "fields": fields}
        return {"type": "array", "items": row}

    def _union(self, depth: int) -> Loose:
        inner = self.node(depth)
        if inner == "null" or isinstance(inner, list):
            inner = "long"
        return self._draw(st.permutations(["null", inner]))

    def _choice(self, depth: int) -> Loose:
        return ["null", "string", "boolean", self.record(depth), self.record(depth)]

    def _record(self, depth: int) -> Loose:
        return self.record(depth)

    def _name(self) -> str:
        return f"test.T{next(self._numbers)}"


def values_of(node: Node) -> st.SearchStrategy[Any]:
    """Return any positional value that fits a node."""
    match node:
        case Record(fields=fields):
            return st.tuples(*(values_of(field.node) for field in fields))
        case Array(items=items):
            return st.lists(values_of(items), max_size=5)
        case Union(branches=branches) if node.optional:
            return st.one_of([values_of(branch) for branch in branches])
        case Union(branches=branches):
            pairs = enumerate(branches)
            return st.one_of(
                [st.tuples(st.just(index), values_of(b)) for index, b in pairs]
            )
        case _:
            return _scalars(node)


def _scalars(node: Node) -> st.SearchStrategy[Any]:
    match node:
        case Number(bits=bits):
            whole = st.integers(-1 << (bits - 1), (1 << (bits - 1)) - 1)
            return st.one_of(st.integers(-70, 70), whole)
        case Enum(symbols=symbols):
            return st.integers(0, len(symbols) - 1)
        case Octets(precision=int(digits)):
            return st.integers(1 - 10**digits, 10**digits - 1)
        case _:
            return {
                Null(): st.none(),
                Boolean(): st.booleans(),
                Text(): TEXTS,
                Octets(): st.binary(max_size=12),
            }[node]


@st.composite
def _schemas_and_values(draw: st.DrawFn) -> tuple[Loose, Loose]:
    schema = _Maker(draw).record(depth=3)
    return schema, draw(values_of(parse(schema)))


@given(_schemas_and_values())
@settings(max_examples=400, deadline=None)
def test_any_record_is_written_as_fastavro_writes_it(case: tuple[Loose, Loose]) -> None:
    """Byte for byte, for random schemas and values, with both writers of numbers."""
    schema, values = case
    tree = parse(schema)
    expected = Standard(schema).write(to_datum(tree, values))
    for pack in PACKS.values():
        assert compile_whole(tree, pack)(b"", values) == expected


@pytest.mark.parametrize("name", sorted(TREES))
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_bundled_records_read_back(name: str, data: st.DataObject) -> None:
    """Every bundled schema, any values: Apache's reader and ours agree."""
    tree = TREES[name]
    values = data.draw(values_of(tree))
    header = CODEC.single_object_header(name)

    written = CODEC.whole(name, header)(values)

    read = Decoder(CODEC).decode(written)
    assert read == _apache(name, written[len(header) :])
    assert read == _untagged(to_datum(tree, values))


def _untagged(datum: Any) -> Any:
    """Take off the names by which fastavro is told a union's branch."""
    match datum:
        case (str(), value) if isinstance(datum, tuple):
            return _untagged(value)
        case dict():
            return {name: _untagged(value) for name, value in datum.items()}
        case list():
            return [_untagged(value) for value in datum]
        case _:
            return datum


def _apache(name: str, body: bytes) -> object:
    """Read with the `avro` package, which turns times beyond its years into errors."""
    plain = json.dumps(_bare(load(bundled()[name]), {"decimal"}))
    stream = io.BytesIO(body)
    reader = avro.io.DatumReader(avro.schema.parse(plain))
    record = reader.read(avro.io.BinaryDecoder(stream))
    assert stream.tell() == len(body)
    return record


FEEDS = sorted(
    name
    for name, tree in TREES.items()
    if "action" in {field.name for field in tree.fields}
)


@pytest.mark.parametrize("name", FEEDS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_feed_encoders_agree_with_fastavro(name: str, data: st.DataObject) -> None:
    """Prefix, header, boundary and payload together are one whole record."""
    layout = feed_layout(TREES[name])
    values = data.draw(values_of(TREES[name]))
    strings, header, payload = (
        values[: layout.strings],
        values[layout.strings : layout.strings + 4],
        values[layout.strings + 4 :],
    )
    wire = CODEC.single_object_header(name)
    encoder = CODEC.encoder(name, wire)
    sequence, received_us, action, fields = header
    boundary = None if fields is None else BoundaryFields(*fields)

    written = encoder.encode(
        encoder.prefix(strings), sequence, received_us, action, boundary, payload
    )

    expected = Standard(CODEC.schema(name)).write(to_datum(TREES[name], values))
    assert written == wire + expected
    leading = RecordHeader._make((*strings[:3], sequence, action))
    assert Decoder(CODEC).header(written) == leading


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=50))
def test_numbers_survive(numbers: list[int]) -> None:
    """What either writer of numbers writes, the reader reads."""
    for pack in PACKS.values():
        written, at, read = pack(numbers), 0, []
        while at < len(written):
            number, at = read_long(written, at)
            read.append(number)
        assert read == numbers


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_hostile_values_never_surprise(junk: bytes) -> None:
    """Any bytes behind a known header give a record or SchemaError, nothing else."""
    from bridge.errors import SchemaError

    decoder = Decoder(CODEC)
    for value in (junk, CODEC.single_object_header("finery.Book") + junk):
        for read in (decoder.decode, decoder.header):
            try:
                read(value)
            except SchemaError:
                continue
