"""A stranger's schema is read with, or refused; it never takes the process along."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from bridge.core.avro_foreign import MOST_DEPTH, MOST_WRAPPED, WORDS, readable
from bridge.core.codec import Codec, Decoder, confluent_header
from bridge.core.envelopes import Reader
from bridge.edge.schemas import bundled
from bridge.errors import SchemaError

COMMAND = "finery.Command"
LONG = {"type": "record", "name": "L", "fields": [{"name": "n", "type": "long"}]}


def _record(kind: Any, name: str = COMMAND) -> dict[str, Any]:
    fields = [{"name": "n", "type": kind}]
    return {"type": "record", "name": name, "fields": fields}


def _pair(kind: Any, name: str) -> dict[str, Any]:
    made = _record(kind, name)
    return {**made, "fields": [*made["fields"], {"name": "m", "type": "long"}]}


def _nested(depth: int) -> dict[str, Any]:
    """Return types within each other by their names, though the JSON stays flat."""
    kinds = [_pair("long", "R0")]
    kinds += [_pair(f"R{n}", f"R{n + 1}") for n in range(depth - 3)]
    fields = [{"name": f"f{n}", "type": kind} for n, kind in enumerate(kinds)]
    return {"type": "record", "name": COMMAND, "fields": fields}


def _deep_json(depth: int) -> dict[str, Any]:
    kind: Any = "long"
    for _ in range(depth):
        kind = {"type": "array", "items": kind}
    return _record(kind)


def _wrapped(depth: int) -> dict[str, Any]:
    """Return records of one field within each other, around a byte."""
    kind: Any = "boolean"
    for number in range(depth):
        kind = _record(kind, f"W{number}")
    return {
        **_record({"type": "array", "items": kind}),
        "fields": [
            {"name": "a", "type": {"type": "array", "items": kind}},
            {"name": "b", "type": "long"},
        ],
    }


def _word(word: str) -> dict[str, Any]:
    """Return a record that contains itself where a word of Avro is no mere name."""
    fields = [
        {"name": "a", "type": {"type": "fixed", "name": word, "size": 1}},
        {"name": "b", "type": word},
    ]
    inner = {"type": "record", "name": word[0], "namespace": "", "fields": fields}
    return _record(inner)


UNBOUNDED: dict[str, Any] = {
    "a union by name": _word("union"),
    "another union by name": _word("error_union"),
    "many records to a byte": _wrapped(MOST_WRAPPED + 1),
    "contains itself": _record(["null", COMMAND]),
    "contains itself by way of another": _record(
        {"type": "array", "items": _record(["null", COMMAND], "Other")}
    ),
    "contains itself in a map": _record({"type": "map", "values": COMMAND}),
    "items of null": _record({"type": "array", "items": "null"}),
    "items without fields": _record(
        {"type": "array", "items": {"type": "record", "name": "E", "fields": []}}
    ),
    "items of no size": _record(
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}
    ),
    "items of a size below 0": _record(
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": -1}}
    ),
    "a field that takes no bytes": _record("null"),
    "too deep by names": _nested(MOST_DEPTH + 1),
    "far too deep by names": _nested(20_000),
    "too deep": _deep_json(MOST_DEPTH),
    "far too deep": _deep_json(5_000),
}
NO_SCHEMA: dict[str, Any] = {
    "JSON Schema": {"type": "object", "properties": {"a": {"type": "string"}}},
    "JSON Schema without a type": {"$schema": "http://json-schema.org/draft-07"},
    "a reference to another subject": _record("other.Name"),
    "twice the same name": _record([LONG, LONG]),
    "a name that is none": {"type": "record", "name": 7, "fields": []},
    "a logical type that is none": _record({"type": "bytes", "logicalType": ["x"]}),
    "a list": [[]],
    "a number": 7,
    "a very long name": _record("x" * 1_000_000),
}
VALUES = {
    "many twos": b"\x02" * 30_000,
    "many items": b"\x80\x80\x80\x80\x80\x80\x80\x80\x02" + b"\x00" * 10,
    "nothing": b"",
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", [*UNBOUNDED, *NO_SCHEMA])
def test_what_has_no_bounds_is_refused(name: str, value: str) -> None:
    """Both readers say so with few words, whatever the value."""
    schema = (UNBOUNDED | NO_SCHEMA)[name]
    body = confluent_header(9) + VALUES[value]
    codec = Codec(bundled())
    decoder = Decoder(codec, lambda _: schema)
    reads = (Reader(codec, lambda _: schema).command, decoder.decode, decoder.header)
    for read in reads:
        with pytest.raises(SchemaError) as refused:
            read(body)
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", UNBOUNDED)
def test_the_reason_is_told(name: str) -> None:
    """It says what of the schema is not read."""
    told = (
        "contains itself|may take no bytes|within each other|RecursionError|"
        "a word of Avro"
    )
    with pytest.raises(SchemaError, match=told):
        readable(UNBOUNDED[name])


def test_the_librarys_own_marks_are_not_believed() -> None:
    """A schema that claims to be parsed already is parsed all the same."""
    inner = _record(["null", COMMAND])
    schema = {
        **_record("long"),
        "__fastavro_parsed": True,
        "__named_schemas": {COMMAND: inner},
    }
    assert "__named_schemas" not in str(readable(schema)["fields"])
    assert readable(schema)["__named_schemas"].keys() == {COMMAND}
    assert readable(schema)["__named_schemas"][COMMAND]["fields"][0]["type"] == "long"


def test_every_bundled_schema_is_read() -> None:
    """The bounds are far from what the project itself writes."""
    for text in bundled().values():
        schema = json.loads(text)
        assert readable(schema)["name"]
        assert readable(schema, {"decimal"})["name"]


def test_what_is_bounded_is_read() -> None:
    """A writer of another project may use types that the bundled schemas do not."""
    schema = _record(
        {
            "type": "map",
            "values": [
                "null",
                {"type": "record", "name": "Nothing", "fields": []},
                {"type": "fixed", "name": "Two", "size": 2},
                {"type": "array", "items": "double"},
            ],
        }
    )
    body = b"\x08" + b"\x02a\x00" + b"\x02b\x02" + b"\x02c\x04hi"
    body += b"\x02d\x06\x02" + struct.pack("<d", 0.5) + b"\x00" + b"\x00"
    decoder = Decoder(Codec(bundled()), lambda _: schema)
    read = decoder.decode(confluent_header(9) + body)
    assert read == {"n": {"a": None, "b": {}, "c": b"hi", "d": [0.5]}}


def test_depth_is_counted_to_the_last() -> None:
    """As many types within each other as are allowed are read."""
    assert readable(_nested(MOST_DEPTH))["name"] == COMMAND
    assert readable(_deep_json(MOST_DEPTH - 2))["name"] == COMMAND


def test_a_decimal_without_measure_is_unreadable() -> None:
    """A scale that no number has ends in an error of this project, too."""
    kind = {
        "type": "bytes",
        "logicalType": "decimal",
        "precision": 10**19,
        "scale": 10**19,
    }
    decoder = Decoder(Codec(bundled()), lambda _: _record(kind))
    with pytest.raises(SchemaError):
        decoder.decode(confluent_header(9) + b"\x02\x05")


def test_records_that_share_a_byte_are_counted_to_the_last() -> None:
    """As many as are allowed are read; more would take hundreds of bytes for one."""
    decoder = Decoder(Codec(bundled()), lambda _: _wrapped(MOST_WRAPPED))
    read = decoder.decode(confluent_header(9) + b"\x04\x01\x00\x00\x02")
    inner: Any = {"n": {"n": {"n": {"n": True}}}}
    other: Any = {"n": {"n": {"n": {"n": False}}}}
    assert read == {"a": [inner, other], "b": 1}


def test_every_word_of_the_library_is_known() -> None:
    """What it reads by a word must not be the name of a type."""
    from fastavro._read_py import READERS

    assert set(READERS) <= WORDS


@pytest.mark.parametrize("read", ["control", "desired"])
def test_what_is_never_long_is_not_read_when_it_is(read: str) -> None:
    """Its schema is not looked at: the loop's time is not a stranger's."""
    reader = Reader(Codec(bundled()), lambda _: LONG)
    with pytest.raises(SchemaError, match="64005 bytes"):
        getattr(reader, read)(confluent_header(9) + bytes(64_000))
