"""Reads values back: bytes to a dict, or just the fields that every feed record has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, NamedTuple, Protocol, cast

from fastavro import schemaless_reader

from bridge.core.avro_encoder import feed_layout
from bridge.core.avro_foreign import UNREADABLE, readable
from bridge.core.avro_schema import parse
from bridge.core.avro_varint import read_long
from bridge.core.avro_wire import Writer, writer_of
from bridge.errors import SchemaError


class RecordHeader(NamedTuple):
    """The leading fields of a feed record; `action` is the enum's index."""

    source: str
    subscription: str
    connection: str
    sequence: int
    action: int


class Schemas(Protocol):
    """Finds bundled schemas; implemented by `Codec`."""

    def by_fingerprint(self, fingerprint: bytes) -> dict[str, Any] | None:
        """Return the schema with this fingerprint, if there is one."""


class _Known:
    """One writer's schema, ready to read with."""

    __slots__ = ("_schema", "_strings")

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = readable(schema, {"decimal"})
        self._strings = _leading_strings(schema)

    def decode(self, value: bytes, body: int) -> dict[str, Any]:
        stream = BytesIO(value)
        stream.seek(body)
        record = schemaless_reader(stream, self._schema, None)
        if stream.tell() != len(value):
            raise ValueError(f"{len(value) - stream.tell()} bytes after the record")
        return cast("dict[str, Any]", record)

    def header(self, value: bytes, at: int) -> RecordHeader:
        if self._strings is None:
            raise ValueError("not a feed record")
        strings = []
        for _ in range(self._strings):
            size, start = read_long(value, at)
            at = start + size
            strings.append(value[start:at].decode())
        sequence, at = read_long(value, at)
        _received, at = read_long(value, at)
        action, at = read_long(value, at)
        source, subscription, connection = strings[:3]
        return RecordHeader(source, subscription, connection, sequence, action)


class Decoder:
    """Reads values of any bundled schema, and of those that `schema_by_id` finds.

    Decimals become `decimal.Decimal`, exact; times stay integers in the unit that the
    schema names (micros, millis); enums are their symbols. So everything but decimals
    is JSON as it stands, and `json.dumps(record, default=str)` keeps those exact, too.
    """

    def __init__(
        self,
        codec: Schemas,
        schema_by_id: Callable[[int], Mapping[str, Any]] | None = None,
    ) -> None:
        """Look fingerprints up in `codec`, registry ids through `schema_by_id`.

        `schema_by_id` is called once for each id; it raises SchemaError for others.
        """
        self._codec = codec
        self._schema_by_id = schema_by_id
        self._known: dict[int | bytes | None, _Known] = {}

    def decode(self, value: bytes) -> dict[str, Any]:
        """Return the record as a dict.

        Raises:
            SchemaError: unknown schema, truncated or trailing bytes.
        """
        writer = writer_of(value)
        known = self._find(writer)
        try:
            return known.decode(value, writer.body)
        except UNREADABLE as error:
            raise SchemaError(f"value does not fit its schema: {error!r}") from error

    def header(self, value: bytes) -> RecordHeader:
        """Return the leading fields only, without reading the rest.

        Raises:
            SchemaError: unknown schema, truncated bytes, or not a feed record.
        """
        writer = writer_of(value)
        known = self._find(writer)
        try:
            return known.header(value, writer.body)
        except UNREADABLE as error:
            raise SchemaError(f"value has no feed header: {error!r}") from error

    def _find(self, writer: Writer) -> _Known:
        name = writer.schema_id if writer.fingerprint is None else writer.fingerprint
        if name not in self._known:
            self._known[name] = _Known(self._schema(writer))
        return self._known[name]

    def _schema(self, writer: Writer) -> Mapping[str, Any]:
        if writer.fingerprint is not None:
            if schema := self._codec.by_fingerprint(writer.fingerprint):
                return schema
            raise SchemaError(
                f"no bundled schema has fingerprint {writer.fingerprint.hex()}; "
                "the value was written by another version"
            )
        if self._schema_by_id is None or writer.schema_id is None:
            raise SchemaError(
                f"value names registry id {writer.schema_id}, but no registry is "
                "configured; set registry.url"
            )
        return self._schema_by_id(writer.schema_id)


def _leading_strings(schema: Mapping[str, Any]) -> int | None:
    try:
        return feed_layout(parse(schema)).strings
    except (SchemaError, RecursionError):
        return None
