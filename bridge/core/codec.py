"""Schemas, compiled encoders, decoders and the wire format.

Every value starts with a wire header that names its schema: Confluent's (byte 0 and the
registry's 4-byte id) or Avro's single-object encoding (C3 01 and the fingerprint).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fastavro.schema import fingerprint, to_parsing_canonical_form

from bridge.core.avro_check import check_feed, check_whole
from bridge.core.avro_decoder import Decoder, RecordHeader
from bridge.core.avro_encoder import (
    Encode,
    compile_feed,
    compile_whole,
    empty_payload,
    feed_layout,
    string,
)
from bridge.core.avro_schema import Record, load, parse
from bridge.core.avro_varint import Pack, packer
from bridge.core.avro_wire import confluent_header, single_object_header
from bridge.errors import SchemaError

__all__ = ["Codec", "Decoder", "FeedEncoder", "RecordHeader", "confluent_header"]


class FeedEncoder:
    """Writes one stream's records; see `core.model.Encoder`."""

    __slots__ = ("_strings", "_wire_header", "empty", "encode")

    def __init__(
        self, encode: Encode, wire_header: bytes, strings: int, empty: tuple[Any, ...]
    ) -> None:
        """Keep the compiled function; `strings` come before `sequence`."""
        self.encode = encode
        self.empty = empty
        self._wire_header = wire_header
        self._strings = strings

    def prefix(self, constants: Sequence[str]) -> bytes:
        """Return wire header and the leading strings: source, subscription, ..."""
        if len(constants) != self._strings:
            raise SchemaError(
                f"{self._strings} strings come before sequence, not {len(constants)}"
            )
        return self._wire_header + b"".join(map(string, constants))


class Codec:
    """The schemas by full name, and an encoder for each, compiled when first asked for.

    Encoders of one codec share a buffer: use a codec from one thread.
    """

    def __init__(
        self, schemas: Mapping[str, str | dict[str, Any]], pack: Pack | None = None
    ) -> None:
        """Parse all schemas; `pack` replaces the fastest writer of number runs."""
        self._schemas = {name: load(schema) for name, schema in schemas.items()}
        self._records = {name: parse(s) for name, s in self._schemas.items()}
        self._pack = pack or packer()
        self._feeds: dict[str, Encode] = {}
        self._wholes: dict[str, Encode] = {}
        self._fingerprints = {
            fingerprint_of(schema): name for name, schema in self._schemas.items()
        }

    def encoder(self, schema_name: str, wire_header: bytes) -> FeedEncoder:
        """Return the encoder of a feed record.

        Raises:
            SchemaError: unknown name, no feed record, or the self-check failed.
        """
        record = self.record(schema_name)
        layout = feed_layout(record)
        empty = empty_payload(layout)
        if schema_name not in self._feeds:
            made = compile_feed(record, self._pack)
            check_feed(self._schemas[schema_name], layout, made, empty)
            self._feeds[schema_name] = made
        return FeedEncoder(self._feeds[schema_name], wire_header, layout.strings, empty)

    def whole(
        self, schema_name: str, wire_header: bytes
    ) -> Callable[[tuple[Any, ...]], bytes]:
        """Return a function that writes any record from the tuple of its values."""
        if schema_name not in self._wholes:
            made = compile_whole(self.record(schema_name), self._pack)
            check_whole(self._schemas[schema_name], self.record(schema_name), made)
            self._wholes[schema_name] = made
        return partial(self._wholes[schema_name], wire_header)

    def single_object_header(self, schema_name: str) -> bytes:
        """Return the ten bytes that name a schema by its fingerprint."""
        return single_object_header(fingerprint_of(self.schema(schema_name)))

    def names(self) -> tuple[str, ...]:
        """Return the full names, sorted."""
        return tuple(sorted(self._schemas))

    def schema(self, schema_name: str) -> dict[str, Any]:
        """Return a schema by its full name."""
        try:
            return self._schemas[schema_name]
        except KeyError:
            raise SchemaError(
                f"schema {schema_name!r} is not bundled; there are "
                f"{', '.join(self.names())}"
            ) from None

    def record(self, schema_name: str) -> Record:
        """Return a schema's tree by its full name."""
        self.schema(schema_name)
        return self._records[schema_name]

    def by_fingerprint(self, fingerprint: bytes) -> dict[str, Any] | None:
        """Return the bundled schema with this fingerprint, if there is one."""
        name = self._fingerprints.get(fingerprint)
        return None if name is None else self._schemas[name]


def fingerprint_of(schema: dict[str, Any]) -> bytes:
    """Return the CRC-64-AVRO of the parsing canonical form, little-endian."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
