"""The bytes before an Avro body: which schema wrote it."""

from __future__ import annotations

from typing import NamedTuple

from bridge.errors import SchemaError

_CONFLUENT = b"\x00"  # Confluent wire format: magic byte 0, then the id, big-endian
_SINGLE_OBJECT = b"\xc3\x01"  # Avro specification: single-object encoding, version 1
_CONFLUENT_SIZE = 5
_SINGLE_OBJECT_SIZE = 10
_MAX_ID = (1 << 31) - 1  # registries keep ids as Java ints


class Writer(NamedTuple):
    """The schema that a value names: id or fingerprint; where the body starts."""

    schema_id: int | None
    fingerprint: bytes | None
    body: int


def confluent_header(schema_id: int) -> bytes:
    """Return the five bytes of Confluent's wire format."""
    if not 0 <= schema_id <= _MAX_ID:
        raise SchemaError(f"schema id {schema_id} does not fit the wire format")
    return _CONFLUENT + schema_id.to_bytes(4, "big")


def single_object_header(fingerprint: bytes) -> bytes:
    """Return the ten bytes of Avro's single-object encoding."""
    return _SINGLE_OBJECT + fingerprint


def writer_of(value: bytes) -> Writer:
    """Read the wire header of `value`.

    Raises:
        SchemaError: the value is in neither format.
    """
    if value[:1] == _CONFLUENT and len(value) >= _CONFLUENT_SIZE:
        return Writer(int.from_bytes(value[1:5], "big"), None, _CONFLUENT_SIZE)
    if value[:2] == _SINGLE_OBJECT and len(value) >= _SINGLE_OBJECT_SIZE:
        return Writer(None, value[2:_SINGLE_OBJECT_SIZE], _SINGLE_OBJECT_SIZE)
    raise SchemaError(
        f"value starts with {value[:2].hex() or 'nothing'}; expected 00 and a schema "
        "id, or c301 and a fingerprint: not written by feedbridge"
    )
