"""Compiled encoders write what Avro says, and refuse what does not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bridge.core import avro_check, avro_varint, codec
from bridge.core.avro_encoder import compile_whole
from bridge.core.avro_schema import parse
from bridge.core.codec import Codec, confluent_header
from bridge.core.model import Action, BoundaryFields, Operation, State
from bridge.edge.schemas import bundled
from bridge.errors import SchemaError
from tests.unit.core.avro_cases import (
    RECEIVED_US,
    STRINGS,
    book_encoder,
    encoded,
    record,
)

LONG_MAX, LONG_MIN = (1 << 63) - 1, -(1 << 63)
SIDE = {"type": "enum", "name": "Side", "symbols": ["BID", "ASK"]}
CENTS = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
PAIR = record(("a", "long"), ("b", "long"), name="test.Pair")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("long", 0, "00"),
        ("long", -1, "01"),
        ("long", 64, "8001"),
        ("long", LONG_MAX, "feffffffffffffffff01"),
        ("long", LONG_MIN, "ffffffffffffffffff01"),
        ("int", -(1 << 31), "ffffffff0f"),
        ("boolean", True, "01"),
        ("boolean", False, "00"),
        ("string", "foo", "06666f6f"),
        ("string", "ü", "04c3bc"),
        ("bytes", b"\x00", "0200"),
        (["null", "string"], None, "00"),
        (["null", "string"], "a", "020261"),
        (["long", "null"], 1, "0002"),
        (["long", "null"], None, "02"),
        (["null", "string", "boolean"], (2, True), "0401"),
        (SIDE, 1, "02"),
        (CENTS, -1, "02ff"),
        (CENTS, 255, "0400ff"),
        ({"type": "array", "items": "long"}, [3, 27], "04063600"),
        ({"type": "array", "items": "long"}, [], "00"),
        ({"type": "array", "items": PAIR}, [(1, 2), (3, 4)], "040204060800"),
        ({"type": "array", "items": "string"}, ["a"], "02026100"),
        (
            record(("a", "long"), ("b", "string"), name="test.In"),
            (27, "foo"),
            "3606666f6f",
        ),
    ],
)
def test_each_kind_has_the_bytes_of_the_specification(
    kind: Any, value: Any, expected: str
) -> None:
    """The bytes are those of the Avro specification, worked out by hand."""
    assert encoded(kind, value).hex() == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("long", LONG_MAX + 1),
        ("long", LONG_MIN - 1),
        ("long", 1.0),
        ("long", "1"),
        ("long", None),
        ("long", True),
        ("int", 1 << 31),
        ("boolean", None),
        ("boolean", 2),
        ("string", b"x"),
        ("string", None),
        ("string", "\ud800"),
        ("bytes", "x"),
        ("bytes", 3),
        ("null", 0),
        (SIDE, 2),
        (SIDE, -1),
        (CENTS, 10_000),
        (["null", "string", "boolean"], (3, None)),
        (["null", "string", "boolean"], None),
        ({"type": "array", "items": "long"}, None),
        ({"type": "array", "items": "long"}, [1, LONG_MAX + 1]),
        ({"type": "array", "items": PAIR}, [(1, 2, 3), (4, 5)]),
        ({"type": "array", "items": PAIR}, [(1, 2), (3,)]),
        (PAIR, (1,)),
    ],
)
def test_what_does_not_fit_is_refused(kind: Any, value: Any) -> None:
    """A wrong type, shape or size raises SchemaError; nothing wraps or is coerced."""
    with pytest.raises(SchemaError, match=r"^test\.Probe: "):
        encoded(kind, value)


def test_a_refused_value_leaves_nothing_behind() -> None:
    """The record after a refused one is written as if that had never been."""
    write = Codec({"test.Probe": record(("x", {"type": "array", "items": "long"}))})
    whole = write.whole("test.Probe", b"")

    with pytest.raises(SchemaError):
        whole(([1, 2, LONG_MAX + 1],))

    assert whole(([3],)).hex() == "020600"


@pytest.mark.parametrize("size", [0, 63, 64, 8191, 8192, 1_048_576, 3_000_000])
def test_long_runs_and_texts_are_cut_in_the_right_place(size: int) -> None:
    """Lengths on both sides of each varint size come out right."""
    numbers = encoded({"type": "array", "items": "long"}, [1] * size)
    count = avro_varint.python_pack((size,))
    assert numbers == (count + b"\x02" * size + b"\x00" if size else b"\x00")
    assert encoded("string", "x" * size) == count + b"x" * size


@pytest.mark.parametrize(
    "kind",
    ["float", "double", {"type": "map", "values": "long"}, "Unknown"],
)
def test_uncovered_types_are_refused_when_compiled(kind: Any) -> None:
    """Floats, maps and unknown names never get as far as a record."""
    with pytest.raises(SchemaError, match="covered"):
        Codec({"test.Probe": record(("x", kind))})


def test_broken_schemas_are_named_errors() -> None:
    """Text that is no JSON, no object or no record raises SchemaError."""
    for text in ("{", "[]", '"long"', '{"type": "enum"}', '{"type": "array"}'):
        with pytest.raises(SchemaError):
            Codec({"test.Probe": text})
    with pytest.raises(SchemaError, match="outermost"):
        Codec({"test.Side": {"type": "enum", "name": "Side", "symbols": ["A"]}})


def test_a_book_update_byte_by_byte() -> None:
    """A book record is the header, the leading strings and one run of numbers."""
    encoder = book_encoder(schema_id=0x01020304)
    prefix = encoder.prefix(STRINGS)

    written = encoder.encode(
        prefix, 5, 7, Action.UPDATE, None, (((Operation.SET, 100, 2),), ())
    )

    assert prefix[:5].hex() == "0001020304"
    assert prefix[5:] == b"".join(
        bytes([2 * len(text)]) + text.encode() for text in STRINGS
    )
    # sequence 5, receivedAt 7, UPDATE, no boundary; one bid (SET, 100, 2), no asks
    assert written[len(prefix) :].hex() == "0a0e0200" + "0202c8010400" + "00"


def test_the_documented_bytes_are_true() -> None:
    """The record that the data contract takes apart is what the encoder writes."""
    document = Path(codec.__file__).parents[2] / "docs" / "data-contract.md"
    table = (
        document.read_text().partition("byte by byte:")[2].partition("Arrays are")[0]
    )
    after_strings = table.partition("`BTC-USD` |")[2]
    told = "".join(re.findall(r"^\| `([0-9a-f ]+)` \|", after_strings, re.MULTILINE))
    level = ((Operation.SET, 6_500_000_000_000, 2),)

    written = book_encoder().encode(
        b"", 5, 1_700_000_000_000_000, Action.UPDATE, None, (level, ())
    )

    assert bytes.fromhex(told) == written


def test_a_boundary_carries_no_data() -> None:
    """A BOUNDARY record has its fields, and the payload that `empty` stands for."""
    encoder = book_encoder()
    boundary = BoundaryFields(State.GAP, "KAFKA_SLOW", "", 3)

    written = encoder.encode(
        b"", 1, RECEIVED_US, Action.BOUNDARY, boundary, encoder.empty
    )

    assert encoder.empty == ((), ())
    assert written.endswith(b"\x08\x14KAFKA_SLOW\x00\x02\x06" + b"\x00\x00")


def test_the_prefix_needs_all_leading_strings() -> None:
    """A missing or surplus constant is refused, not shifted into the next field."""
    encoder = book_encoder()
    for constants in (STRINGS[:3], (*STRINGS, "x")):
        with pytest.raises(SchemaError, match="4 strings"):
            encoder.prefix(constants)


def test_records_without_the_header_are_no_feed_records() -> None:
    """Only schemas with all header fields, rightly typed, get a feed encoder."""
    made = Codec(bundled())
    with pytest.raises(SchemaError, match="no feed record"):
        made.encoder("feedbridge.FeedState", b"")
    strings = [(name, "string") for name in ("source", "subscription", "connection")]
    header = [
        (name, "long") for name in ("sequence", "receivedAt", "action", "boundary")
    ]
    wrong_types = Codec({"test.Probe": record(*strings, *header)})
    with pytest.raises(SchemaError, match="other types"):
        wrong_types.encoder("test.Probe", b"")
    number = Codec({"test.Probe": record(*strings, ("count", "long"), *header)})
    with pytest.raises(SchemaError, match="not a string"):
        number.encoder("test.Probe", b"")


def test_unknown_names_are_refused() -> None:
    """A schema that is not bundled is named, beside those that are."""
    with pytest.raises(SchemaError, match=r"finery\.Nothing.*finery\.Book"):
        Codec(bundled()).whole("finery.Nothing", b"")


@pytest.mark.parametrize("schema_id", [-1, 1 << 31])
def test_ids_that_no_registry_gives_are_refused(schema_id: int) -> None:
    """Ids are non-negative Java ints."""
    with pytest.raises(SchemaError):
        confluent_header(schema_id)


def test_all_bundled_schemas_compile_with_both_writers() -> None:
    """Each bundled schema passes its self-check, with protobuf's core and without."""
    for pack in (avro_varint.upb_packer(), avro_varint.python_pack):
        made = Codec(bundled(), pack)
        for name in made.names():
            made.whole(name, b"")
            if "action" in {f["name"] for f in made.schema(name)["fields"]}:
                made.encoder(name, b"")


def test_the_self_check_notices_a_wrong_encoder() -> None:
    """An encoder that writes one byte too many never gets into use."""
    schema = record(("x", "long"))
    tree = parse(schema)
    good = compile_whole(tree, avro_varint.python_pack)
    avro_check.check_whole(schema, tree, good)

    with pytest.raises(SchemaError, match="compiled encoder wrote"):
        avro_check.check_whole(schema, tree, lambda *a: good(*a) + b"\x00")


def test_a_broken_number_writer_is_caught_at_start() -> None:
    """The self-check runs whenever a codec compiles, for both faces."""
    broken = Codec(bundled(), lambda values: avro_varint.python_pack(values) + b"\x00")
    with pytest.raises(SchemaError, match="compiled encoder wrote"):
        broken.encoder("finery.Book", b"")
    with pytest.raises(SchemaError, match="compiled encoder wrote"):
        broken.whole("feedbridge.FeedState", b"")


def test_an_encoder_is_compiled_once() -> None:
    """Two topics of one schema share the compiled function, not the wire header."""
    made = Codec(bundled())
    one = made.encoder("finery.Book", confluent_header(1))
    two = made.encoder("finery.Book", confluent_header(2))
    assert one.encode is two.encode
    assert one.prefix(STRINGS) != two.prefix(STRINGS)
    assert codec.FeedEncoder.__slots__  # nothing can be added by mistake
