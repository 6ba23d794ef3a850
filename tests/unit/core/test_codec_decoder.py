"""Values are read back exactly, by id or by fingerprint."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import avro.schema
import pytest

from bridge.core.avro_wire import writer_of
from bridge.core.codec import (
    Codec,
    Decoder,
    RecordHeader,
    confluent_header,
    fingerprint_of,
)
from bridge.core.model import Action, BoundaryFields, State
from bridge.edge.schemas import bundled
from bridge.errors import SchemaError
from tests.unit.core.avro_cases import RECEIVED_US, STRINGS, record

ONE_TENTH_MORE = 1_100_000_000_000_000_000
TIMES = (1_700_000_000_000, None)


def _value_record(codec: Codec, header: bytes, decimal: int = ONE_TENTH_MORE) -> bytes:
    encoder = codec.encoder("cfbenchmarks.Value", header)
    prefix = encoder.prefix(("cf", "value:BRTI", "0190", "BRTI"))
    payload = (("1.10", decimal, *TIMES, True, 0, False, False, -3),)
    return encoder.encode(prefix, 9, RECEIVED_US, Action.SNAPSHOT, None, payload)


def test_a_record_comes_back_whole() -> None:
    """Decimals are exact Decimals, times integers, enums symbols."""
    codec = Codec(bundled())
    value = _value_record(codec, codec.single_object_header("cfbenchmarks.Value"))

    assert Decoder(codec).decode(value) == {
        "source": "cf",
        "subscription": "value:BRTI",
        "connection": "0190",
        "id": "BRTI",
        "sequence": 9,
        "receivedAt": RECEIVED_US,
        "action": "SNAPSHOT",
        "boundary": None,
        "data": {
            "valueText": "1.10",
            "value": Decimal("1.100000000000000000"),
            "time": 1_700_000_000_000,
            "amendTime": None,
            "repeatOfPreviousValue": True,
            "revision": 0,
            "duplicate": False,
            "late": False,
            "delayMillis": -3,
        },
    }


@pytest.mark.parametrize("unscaled", [10**38 - 1, 1 - 10**38, 0, -1])
def test_all_38_digits_survive(unscaled: int) -> None:
    """No decimal loses a digit, and `str` keeps it for JSON."""
    codec = Codec(bundled())
    header = codec.single_object_header("cfbenchmarks.Value")
    record = Decoder(codec).decode(_value_record(codec, header, unscaled))

    shown = json.loads(json.dumps(record, default=str))["data"]["value"]

    sign, digits, exponent = Decimal(shown).as_tuple()
    assert exponent == -18
    assert int("".join(map(str, digits))) * (-1) ** sign == unscaled


def test_ids_are_looked_up_once() -> None:
    """A registry id is resolved by the given function, the first time only."""
    codec = Codec(bundled())
    asked = []

    def schema_by_id(schema_id: int) -> dict[str, object]:
        asked.append(schema_id)
        return codec.schema("cfbenchmarks.Value")

    decoder = Decoder(codec, schema_by_id)
    value = _value_record(codec, confluent_header(77))

    assert decoder.decode(value)["sequence"] == 9
    assert decoder.header(value) == RecordHeader("cf", "value:BRTI", "0190", 9, 0)
    assert asked == [77]


def test_a_header_is_read_without_the_rest() -> None:
    """The leading fields of a truncated or boundary record can still be read."""
    codec = Codec(bundled())
    encoder = codec.encoder("finery.Book", codec.single_object_header("finery.Book"))
    boundary = BoundaryFields(State.LIVE, "SNAPSHOT", "x" * 90, None)
    prefix = encoder.prefix(STRINGS)
    value = encoder.encode(
        prefix, 1 << 40, RECEIVED_US, Action.BOUNDARY, boundary, encoder.empty
    )

    header = Decoder(codec).header(value[:-80])

    assert header == RecordHeader(*STRINGS[:3], 1 << 40, Action.BOUNDARY)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"", "nothing"),
        (b"\x00\x00\x00", "0000"),
        (b"\x01abcdefghijk", "0161"),
        (b"\xc3\x01abc", "c301"),
        (b"\xc3\x01" + b"\x00" * 8, "no bundled schema"),
        (b"\x00\x00\x00\x00\x05abc", "registry id 5"),
    ],
)
def test_foreign_values_are_refused(value: bytes, told: str) -> None:
    """What names no known schema raises SchemaError and says what was seen."""
    decoder = Decoder(Codec(bundled()))
    with pytest.raises(SchemaError, match=told):
        decoder.decode(value)
    with pytest.raises(SchemaError, match=told):
        decoder.header(value)


def test_truncated_and_padded_values_are_refused() -> None:
    """Every proper prefix of a record, and a byte too many, raise SchemaError."""
    codec = Codec(bundled())
    decoder = Decoder(codec)
    value = _value_record(codec, codec.single_object_header("cfbenchmarks.Value"))
    for end in range(10, len(value)):
        with pytest.raises(SchemaError):
            decoder.decode(value[:end])
    with pytest.raises(SchemaError, match="after the record"):
        decoder.decode(value + b"\x00")


def test_records_of_other_kinds_have_no_header() -> None:
    """A record that is no feed record has no feed header."""
    codec = Codec({"test.Probe": record(("x", "long"))})
    value = codec.whole("test.Probe", codec.single_object_header("test.Probe"))((1,))
    assert Decoder(codec).decode(value) == {"x": 1}
    with pytest.raises(SchemaError, match="not a feed record"):
        Decoder(codec).header(value)


def test_a_cut_header_is_refused() -> None:
    """A value that ends within its header raises SchemaError."""
    codec = Codec(bundled())
    value = _value_record(codec, codec.single_object_header("cfbenchmarks.Value"))
    with pytest.raises(SchemaError, match="no feed header"):
        Decoder(codec).header(value[:20])


def test_fingerprints_are_those_of_the_standard() -> None:
    """Each fingerprint is what the Apache implementation works out.

    Its Python version keeps `{"type": "long"}` where a logical type stood, against the
    specification (Parsing Canonical Form, rule PRIMITIVES), so it is given the plain
    form; the Java version agrees with ours on the files as they are.
    """
    for text in bundled().values():
        schema = json.loads(text)
        plain = avro.schema.parse(json.dumps(_plain(schema)))
        assert fingerprint_of(schema) == plain.fingerprint("CRC-64-AVRO")


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "logicalType" in schema:
        return schema["type"]
    return {key: _plain(value) for key, value in schema.items()}


def test_the_single_object_header_is_ten_bytes() -> None:
    """C3 01, then the fingerprint, little-endian (Avro specification's example)."""
    codec = Codec(bundled())
    header = codec.single_object_header("finery.Book")
    assert header[:2] == b"\xc3\x01"
    assert writer_of(header + b"body") == (None, header[2:], 10)
    # The specification's own constant: the fingerprint of "null" is 63dd24e7cc258f8a.
    assert fingerprint_of("null").hex() == "8a8f25cce724dd63"  # type: ignore[arg-type]
