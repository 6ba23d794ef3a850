"""Compiles a schema into a plain function that writes Avro bodies.

Values are positional: records are tuples in schema order, arrays sequences, enums
indices, `["null", X]` None or the value, other unions (branch, value), decimals
unscaled integers, times integers. What does not fit raises SchemaError; nothing wraps.
One limit: symbols inside arrays of all-long records are not checked one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bridge.core.avro_schema import Enum, Field, Node, Number, Record, Text, Union
from bridge.core.avro_source import Body
from bridge.core.avro_varint import Pack, python_pack
from bridge.errors import SchemaError

Encode = Callable[..., bytes]

_STRINGS = ("source", "subscription", "connection")
_HEADER = ("sequence", "receivedAt", "action", "boundary")
_LENGTHS = tuple(python_pack((size,)) for size in range(8192))  # one or two bytes
_UNFIT = (ValueError, TypeError, KeyError, OverflowError)


@dataclass(frozen=True, slots=True)
class FeedLayout:
    """How a feed record is divided: leading strings, header, payload."""

    record: Record
    strings: int
    action: Enum
    boundary: Record
    payload: Record


def compile_whole(record: Record, pack: Pack) -> Encode:
    """Return `encode(prefix, values)` for any record."""
    body = Body(2)
    body.unpack(record, "values")
    lines = ["def encode(prefix, values):", "    try:", *body.finish()]
    return _compile(record.name, lines, pack)


def compile_feed(record: Record, pack: Pack) -> Encode:
    """Return `encode(prefix, sequence, received_us, action, boundary, values)`.

    The strings before `sequence` are the prefix's; data and boundary records take ways
    of their own, so data records never pay for the boundary's strings.
    """
    layout = feed_layout(record)
    lines = [
        "def encode(prefix, sequence, received_us, action, boundary, values):",
        "    try:",
        "        if boundary is None:",
        *_feed_body(layout, with_boundary=False),
        *_feed_body(layout, with_boundary=True, indent=2),
    ]
    return _compile(record.name, lines, pack)


def _feed_body(
    layout: FeedLayout, *, with_boundary: bool, indent: int = 3
) -> list[str]:
    body = Body(indent)
    body.put("sequence", "received_us")
    body.write(layout.action, "action")
    body.put("1" if with_boundary else "0")
    if with_boundary:
        body.write(layout.boundary, "boundary")
    body.unpack(layout.payload, "values")
    return body.finish()


def feed_layout(record: Record) -> FeedLayout:
    """Find the parts of a feed record.

    Raises:
        SchemaError: the record lacks the fields that every feed record has.
    """
    names = tuple(field.name for field in record.fields)
    start = names.index("sequence") if "sequence" in names else 0
    if names[:3] != _STRINGS or names[start : start + 4] != _HEADER:
        raise _no_feed(record, f"its fields are {', '.join(names)}")
    strings, header = record.fields[:start], record.fields[start : start + 4]
    if any(field.node != Text() for field in strings):
        raise _no_feed(record, "a field before sequence is not a string")
    action, boundary = _header_nodes(record, header)
    payload = Record(record.name, record.fields[start + 4 :])
    return FeedLayout(record, start, action, boundary, payload)


def _header_nodes(record: Record, header: tuple[Field, ...]) -> tuple[Enum, Record]:
    match tuple(field.node for field in header):
        case (Number(64), Number(64), Enum() as action, Union() as boundary):
            match boundary.branches:
                case (_, Record() as fields) if boundary.optional:
                    return action, fields
    raise _no_feed(record, "its header fields have other types")


def _no_feed(record: Record, detail: str) -> SchemaError:
    wanted = ", ".join((*_STRINGS, "[more strings]", *_HEADER))
    return SchemaError(f"{record.name} is no feed record ({wanted}, ...): {detail}")


def empty_payload(layout: FeedLayout) -> tuple[Any, ...]:
    """Return the payload of a BOUNDARY record: empty arrays and nulls."""
    return tuple(_empty(field.name, field.node) for field in layout.payload.fields)


def _empty(name: str, node: Node) -> tuple[()] | None:
    if isinstance(node, Union) and node.optional:
        return None
    if hasattr(node, "items"):
        return ()
    raise SchemaError(f"payload field {name} must be an array or nullable")


def _compile(name: str, lines: list[str], pack: Pack) -> Encode:
    refusal = f"{name}: "
    lines += [
        "    except unfit as error:",
        f"        raise SchemaError({refusal!r} + str(error)) from error",
    ]
    scope: dict[str, Any] = {
        "SchemaError": SchemaError,
        "bits": {False: 0, True: -1},
        "chain": chain.from_iterable,
        "decimal": _decimal,
        "join": b"".join,
        "length": _length,
        "octets": _octets,
        "pack": pack,
        "refuse": _refuse,
        "text": str.encode,
        "unfit": _UNFIT,
    }
    source = "\n".join(lines)
    code = compile(source, f"<encoder of {name}>", "exec")
    exec(code, scope)  # noqa: S102 # made above, of checked schemas; names are ours
    encode: Encode = scope["encode"]
    return encode


def string(value: str) -> bytes:
    """Write one Avro string."""
    raw = value.encode()
    return _length(len(raw)) + raw


def _length(size: int) -> bytes:
    return _LENGTHS[size] if size < len(_LENGTHS) else python_pack((size,))


def _octets(value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"bytes are needed, not {type(value).__name__}")
    return value


def _decimal(unscaled: int, limit: int) -> bytes:
    """Write two's complement, as long as fastavro's."""
    if not -limit < unscaled < limit:
        raise ValueError(f"decimal with too many digits: {unscaled}")
    return unscaled.to_bytes((unscaled.bit_length() + 8) >> 3, "big", signed=True)


def _refuse(value: object) -> None:
    shown = repr(value)
    raise ValueError(f"value does not fit: {shown[:80]}")
