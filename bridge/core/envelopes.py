"""Writes commands, responses, controls and desired subscriptions as Avro.

This is the whole seam of the envelopes.

A writer is made once for each wire header. The reader takes whatever schema wrote a
value, as long as it has the right name: missing fields are empty, further ones are let
pass, and symbols that are not known here become UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from bridge.core.avro_schema import Array, Boolean, Enum, Node, Record, Union
from bridge.core.codec import Codec
from bridge.core.envelope_reader import Reader
from bridge.core.envelope_values import (
    COMMAND,
    CONTROL,
    RESPONSE,
    SUBSCRIPTION,
    Answer,
    Content,
    Control,
    Desired,
    DesiredState,
    Request,
    Shown,
    Typed,
    Unfit,
)
from bridge.core.orders import Entry, Result
from bridge.errors import SchemaError

__all__ = [
    "COMMAND",
    "CONTROL",
    "RESPONSE",
    "SUBSCRIPTION",
    "Answer",
    "Content",
    "Control",
    "Desired",
    "DesiredState",
    "Reader",
    "Request",
    "Shown",
    "Typed",
    "Unfit",
    "WriteResponse",
    "command_writer",
    "control_writer",
    "desired_writer",
    "positional",
    "response_writer",
]

_INT_MAX = (1 << 31) - 1
_PLAIN = Shown()


class WriteResponse(Protocol):
    """Writes an entry; `partition` is the command's."""

    def __call__(self, entry: Entry, partition: int, shown: Shown = ...) -> bytes:
        """Return the record's bytes."""


def response_writer(codec: Codec, wire_header: bytes) -> WriteResponse:
    """Return a function that writes entry, command partition and what is shown.

    What the venue said never keeps a response from being written: what does not fit
    (a lone surrogate, a number too large) goes out as text, or is replaced.
    """
    encode = codec.whole(RESPONSE, wire_header)

    def write(entry: Entry, partition: int, shown: Shown = _PLAIN) -> bytes:
        try:
            return encode(_response(entry, partition, shown))
        except SchemaError:
            return encode(_response(_cleaned(entry), partition, _untyped(shown)))

    return write


def command_writer(codec: Codec, wire_header: bytes) -> Callable[[Request], bytes]:
    """Return a function that writes a command.

    Raises:
        SchemaError: from the function, if the content does not fit its record.
    """
    encode = codec.whole(COMMAND, wire_header)
    union = _content_union(codec)

    def write(request: Request) -> bytes:
        content = _tagged(union, request.content)
        r = request
        return encode((r.req_id, r.method, r.account, r.not_after_ms, content))

    return write


def control_writer(codec: Codec, wire_header: bytes) -> Callable[[Control], bytes]:
    """Return a function that writes a control."""
    encode = codec.whole(CONTROL, wire_header)

    def write(control: Control) -> bytes:
        c = control
        return encode((c.account, c.state, c.halt_cancels, c.reason, c.by, c.at_ms))

    return write


def desired_writer(codec: Codec, wire_header: bytes) -> Callable[[Desired], bytes]:
    """Return a function that writes what is asked of a subscription.

    Raises:
        SchemaError: from the function, if a text cannot be written as UTF-8.
    """
    encode = codec.whole(SUBSCRIPTION, wire_header)

    def write(desired: Desired) -> bytes:
        d = desired
        fields = (d.source, d.subscription, d.state, d.options, d.reason, d.by, d.at_ms)
        return encode(fields)

    return write


def _response(entry: Entry, partition: int, shown: Shown) -> tuple[Any, ...]:
    """Return the values in the schema's order."""
    e, said = entry, entry.result
    body = said.body if said else ""
    result = shown.result or ((1, body) if body else (0, None))
    return (
        e.key.req_id,
        e.key.account,
        e.method,
        e.key.topic,
        partition,
        e.command_offset,
        e.phase,
        said.outcome if said else None,
        said.code if said else "",
        said.text if said else "",
        shown.retriable,
        _venue_error(said, shown) if said else None,
        result,
        body if result[0] > 1 else "",
        said.evidence if said else None,
        e.repeat_of,
        e.order_id or None,
        e.request,
        e.worker,
        e.epoch,
        e.connection,
        e.received_ms or None,
        e.claimed_ms or None,
        e.sent_ms or None,
        e.answered_ms or None,
        e.reply_to or None,
    )


def _venue_error(said: Result, shown: Shown) -> tuple[int, str, str, str] | None:
    found = (said.venue_error, shown.error_name, said.venue_meaning, shown.error_param)
    return found if any(found) else None


def _cleaned(entry: Entry) -> Entry:
    """Replace what UTF-8 or 32 bits cannot hold in what the venue said."""
    said = entry.result
    if said is None:
        return entry
    number = max(-_INT_MAX, min(said.venue_error, _INT_MAX))
    texts = {
        name: getattr(said, name).encode("utf-8", "replace").decode()
        for name in ("text", "venue_meaning", "body")
    }
    cleaned = msgspec.structs.replace(said, venue_error=number, **texts)
    return msgspec.structs.replace(entry, result=cleaned)


def _untyped(shown: Shown) -> Shown:
    param = shown.error_param.encode("utf-8", "replace").decode()
    return msgspec.structs.replace(shown, result=None, error_param=param)


def _content_union(codec: Codec) -> Mapping[str, tuple[int, Record]]:
    fields = {field.name: field.node for field in codec.record(COMMAND).fields}
    union = fields["content"]
    branches = union.branches if isinstance(union, Union) else ()
    return {
        node.name.rpartition(".")[2]: (index, node)
        for index, node in enumerate(branches)
        if isinstance(node, Record)
    }


def _tagged(
    union: Mapping[str, tuple[int, Record]], content: Content
) -> tuple[int, Any]:
    if isinstance(content, str):
        return 0, content
    name, fields = content
    if name not in union:
        raise SchemaError(f"there is no content {name}; there are {', '.join(union)}")
    branch, record = union[name]
    return branch, positional(record, fields)


def positional(record: Record, fields: Mapping[str, Any]) -> tuple[Any, ...]:
    """Put named values in the schema's order; enums may be symbols.

    Left out may be what is optional, an array, or a boolean (False).

    Raises:
        SchemaError: an unknown name, symbol, or a value that must be there.
    """
    if unknown := fields.keys() - {field.name for field in record.fields}:
        names = ", ".join(field.name for field in record.fields)
        raise SchemaError(f"{record.name} has no {min(unknown)}; it has {names}")
    return tuple(
        _indexed(f"{record.name}.{field.name}", field.node, fields.get(field.name))
        for field in record.fields
    )


def _indexed(where: str, node: Node, value: Any) -> Any:  # noqa: ANN401 - any of Avro's
    match node:
        case Enum(symbols=symbols) if isinstance(value, str):
            if value in symbols:
                return symbols.index(value)
            raise SchemaError(f"{where} is one of {', '.join(symbols)}, not {value}")
        case Boolean() if value is None:
            return False
        case Array():
            return tuple(value or ())
        case Union(optional=True):
            return value
        case _ if value is None:
            raise SchemaError(f"{where} is missing")
    return value
