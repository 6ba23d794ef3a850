"""Reads envelopes back from the bytes of any writer's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from io import BytesIO
from typing import Any, TypeVar

from fastavro import schemaless_reader

from bridge.core.avro_foreign import UNREADABLE, readable
from bridge.core.avro_schema import Loose
from bridge.core.avro_wire import Writer, writer_of
from bridge.core.codec import Codec
from bridge.core.envelope_values import (
    COMMAND,
    CONTROL,
    RESPONSE,
    SUBSCRIPTION,
    Answer,
    Control,
    Desired,
    DesiredState,
)
from bridge.core.orders import Entry, Evidence, Key, Outcome, Phase, Result, Trading
from bridge.errors import SchemaError

_Member = TypeVar("_Member", bound=IntEnum)

MOST_SCHEMAS = 100
"""Writers' schemas that a reader keeps; a stranger's records may name any."""

SMALL_BYTES = 64_000
"""The longest control or desired subscription; commands have a limit of their own."""

_COMMAND_FIELDS = ("reqId", "method", "account", "notAfter", "content")


class Reader:
    """Reads commands, responses, controls and desired subscriptions.

    Every method raises SchemaError for what it cannot read: no wire header, an unknown
    schema, a record of another name, truncated or trailing bytes. One with `retry`
    (a `schema_by_id` that asks found the registry away) says nothing about the value.
    """

    def __init__(
        self,
        codec: Codec,
        schema_by_id: Callable[[int], Mapping[str, Any]] | None = None,
    ) -> None:
        """Look fingerprints up in `codec`, registry ids through `schema_by_id`."""
        self._codec = codec
        self._schema_by_id = schema_by_id
        self._parsed = lru_cache(MOST_SCHEMAS)(self._parse)  # threads may share it

    def command(self, value: bytes) -> dict[str, Any]:
        """Return `reqId`, `method`, `account`, `notAfter` and `content`.

        `content` is `Content`; a field that the writer did not have is None.
        """
        record = self._read(value, COMMAND)
        content = record.get("content")
        if isinstance(content, dict):
            content = ("", content)  # no union: nothing names the record
        record["content"] = _typed(content)
        return {name: record.get(name) for name in _COMMAND_FIELDS}

    def response(self, value: bytes) -> Answer:
        """Return what a response says."""
        record = self._read(value, RESPONSE)
        try:
            return _answer(record)
        except UNREADABLE as error:
            raise SchemaError(f"response without {error}") from error

    def control(self, value: bytes) -> Control:
        """Return what a control says."""
        record = self._read_small(value, CONTROL)
        return Control(
            account=record.get("account") or "",
            state=_member(Trading, record.get("state")),
            halt_cancels=bool(record.get("haltCancels")),
            reason=record.get("reason") or "",
            by=record.get("by") or "",
            at_ms=record.get("at") or 0,
        )

    def desired(self, value: bytes) -> Desired:
        """Return what was asked of a subscription."""
        record = self._read_small(value, SUBSCRIPTION)
        return Desired(
            source=record.get("source") or "",
            subscription=record.get("subscription") or "",
            state=_member(DesiredState, record.get("state")),
            options=record.get("options") or "",
            reason=record.get("reason") or "",
            by=record.get("by") or "",
            at_ms=record.get("at") or 0,
        )

    def _read_small(self, value: bytes, name: str) -> dict[str, Any]:
        """Read what is never long: a stranger must not take the loop's time."""
        if (size := len(value)) > SMALL_BYTES:
            raise SchemaError(f"{size} bytes, a {name} has at most {SMALL_BYTES}")
        return self._read(value, name)

    def _read(self, value: bytes, name: str) -> dict[str, Any]:
        writer = writer_of(value)
        written, schema = self._parsed(writer)
        stream = BytesIO(value)
        stream.seek(writer.body)
        record: Any = None
        try:
            if written == name:
                record = schemaless_reader(stream, schema, None, True)
        except UNREADABLE as error:
            raise SchemaError(f"value does not fit its schema: {error!r}") from error
        if not isinstance(record, dict):
            seen = written or "nameless one"
            raise SchemaError(f"value is a {seen}, expected a {name}")
        if rest := len(value) - stream.tell():
            raise SchemaError(f"{rest} bytes after the record")
        return record

    def _parse(self, writer: Writer) -> tuple[str, Loose]:
        parsed = readable(self._schema(writer))  # so times stay integers
        name = parsed.get("name", "") if isinstance(parsed, dict) else ""
        return name, parsed

    def _schema(self, writer: Writer) -> Mapping[str, Any]:
        if writer.fingerprint is not None:
            if found := self._codec.by_fingerprint(writer.fingerprint):
                return found
            raise SchemaError(
                f"no bundled schema has fingerprint {writer.fingerprint.hex()}"
            )
        if self._schema_by_id is None or writer.schema_id is None:
            raise SchemaError(f"schema id {writer.schema_id}, but there is no registry")
        return self._schema_by_id(writer.schema_id)


def _answer(record: Mapping[str, Any]) -> Answer:
    error = _inner(record.get("venueError"))
    return Answer(
        entry=_entry(record, error),
        partition=record["commandPartition"],
        result=_typed(record.get("result")),
        error_name=error.get("name") or "",
        error_param=error.get("param") or "",
        retriable=bool(record.get("retriable")),
    )


def _entry(record: Mapping[str, Any], error: Mapping[str, Any]) -> Entry:
    def text(name: str) -> str:
        return record.get(name) or ""

    return Entry(
        key=Key(record["commandTopic"], record["account"], record["reqId"]),
        phase=_member(Phase, record["phase"]),
        command_offset=record["commandOffset"],
        method=text("method"),
        worker=text("worker"),
        epoch=text("epoch"),
        order_id=record.get("clientOrderId") or 0,
        request=text("request"),
        result=_result(record, error),
        repeat_of=record.get("repeatOf"),
        connection=text("connection"),
        received_ms=record.get("receivedAt") or 0,
        claimed_ms=record.get("claimedAt") or 0,
        sent_ms=record.get("sentAt") or 0,
        answered_ms=record.get("answeredAt") or 0,
        reply_to=text("replyTo"),
    )


def _result(record: Mapping[str, Any], error: Mapping[str, Any]) -> Result | None:
    if record.get("outcome") is None:
        return None
    said = record.get("result")
    return Result(
        outcome=_member(Outcome, record["outcome"]),
        code=record.get("code") or "",
        text=record.get("text") or "",
        evidence=_member(Evidence, record.get("evidence")),
        venue_error=error.get("number") or 0,
        venue_meaning=error.get("meaning") or "",
        body=said if isinstance(said, str) else record.get("resultText") or "",
    )


def _member(kind: type[_Member], symbol: object) -> _Member:
    """Return the member named `symbol`; the last one, UNKNOWN, where there is none."""
    return kind.__members__.get(str(symbol), kind["UNKNOWN"])


def _inner(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - named record, or None
    """Return the fields of an optional record, which comes with its name."""
    fields: Mapping[str, Any] = value[1] if isinstance(value, tuple) else value or {}
    return fields


def _typed(value: Any) -> Any:  # noqa: ANN401 - str, typed record or None
    """Name a record without its namespace."""
    if isinstance(value, tuple):
        return value[0].rpartition(".")[2], value[1]
    return value
