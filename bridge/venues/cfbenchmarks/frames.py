"""Commands out, frames in: text to values and nothing else.

Source: CF Benchmarks WebSocket API v4, "Commands", "value", "Errors"; the fields of
`rti_stats` as the Chainlink adapter reads them. Any key order and spacing, unknown
fields and null optional fields are taken. A decimal keeps its text: it is read from
the raw JSON, whether it was quoted or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from bridge.core.decimals import unscaled
from bridge.core.model import Reason

VALUE = "value"
RTI_STATS = "rti_stats"
INFO = '{"type":"info"}'

# Plausible Unix milliseconds: 2001 to 2286. Seconds and microseconds fall outside.
EARLIEST_MS = 10**12
LATEST_MS = 10**13

_SHOWN = 160  # characters of a frame's text that reach a message
_DECIMALS = ("value", "utilizedDepth", "valueBid", "valueAsk", "midPrice")


class Value(msgspec.Struct, gc=False):
    """One published value: text as sent, and number times 10**18."""

    id: str
    time: int
    amend_time: int | None
    repeat: bool | None
    text: str
    number: int


class Stats(msgspec.Struct, gc=False):
    """Statistics: value, depth, bid, ask and mid, as sent and times 10**18."""

    id: str
    time: int
    texts: tuple[str, ...]
    numbers: tuple[int, ...]


class Listing(msgspec.Struct):
    """The answer to `info`: the ids that the key may use."""

    ids: frozenset[str]


class Refusal(msgspec.Struct):
    """A command that came back with `success: false`."""

    command: str
    id: str
    stream: str
    reason: str


class Echo(msgspec.Struct):
    """A command that came back without an error; undocumented, carries nothing."""


class Bad(msgspec.Struct):
    """A frame that cannot be used, and why; `type` and `id` where they were read."""

    reason: Reason
    error: str
    type: str = ""
    id: str = ""


Message = Value | Stats | Listing | Refusal | Echo | Bad


class _Envelope(msgspec.Struct, gc=False, rename="camel"):
    """Every known field of every frame; types are checked where they matter."""

    type: Any = None
    id: Any = None
    time: Any = None
    value: Raw = Raw()
    success: Any = None
    stream: Any = None
    reason: Any = None
    streams: Any = None
    amend_time: Any = None
    repeat_of_previous_value: Any = None
    utilized_depth: Raw = Raw()
    value_bid: Raw = Raw()
    value_ask: Raw = Raw()
    mid_price: Raw = Raw()


class _Fault(Exception):
    """A field is wrong; becomes `Bad` before it leaves this module."""

    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_STRING = msgspec.json.Decoder(str)


def subscribe(index: str, stream: str, max_resolution: str | None = None) -> str:
    """Return the command that asks for one stream of one index."""
    command = {"type": "subscribe", "id": index, "stream": stream}
    if max_resolution is not None:
        command["maxResolution"] = max_resolution
    return msgspec.json.encode(command).decode()


def unsubscribe(index: str, stream: str) -> str:
    """Return the command that ends one stream of one index."""
    command = {"type": "unsubscribe", "id": index, "stream": stream}
    return msgspec.json.encode(command).decode()


def read(data: bytes) -> Message:
    """Turn one message into a value; never raises.

    Errors come first, since their `type` is the command's, then the echoes of
    successful commands, then data by type.
    """
    try:
        frame = _ENVELOPE.decode(data)
    except (ValueError, RecursionError) as error:
        return _undecodable(error)
    if type(frame.success) is bool:
        return Echo() if frame.success else _refusal(frame)
    return _by_type(frame, frame.type)


def _by_type(frame: _Envelope, kind: object) -> Message:
    if type(kind) is not str:
        return Bad(Reason.NOT_A_MESSAGE, f"type is {_described(kind)}, not a string")
    reader = _READERS.get(kind)
    if reader is None:
        return Bad(Reason.UNKNOWN_FEED, f"type {_cut(kind)!a} is not known")
    try:
        return reader(frame)
    except _Fault as fault:
        index = frame.id if type(frame.id) is str else ""
        return Bad(fault.reason, str(fault), kind, index)


def _undecodable(error: ValueError | RecursionError) -> Bad:
    if isinstance(error, RecursionError):
        return Bad(Reason.NOT_JSON, "nested too deeply")
    if not isinstance(error, msgspec.ValidationError):
        return Bad(Reason.NOT_JSON, _cut(str(error)))
    # All fields take anything, so only two rules can be broken.
    whole = str(error).startswith("Expected `object`")
    reason = Reason.NOT_A_MESSAGE if whole else Reason.OUT_OF_RANGE
    return Bad(reason, _cut(str(error)))


def _value(frame: _Envelope) -> Value:
    repeat = frame.repeat_of_previous_value
    if repeat is not None and type(repeat) is not bool:
        raise _wrong("repeatOfPreviousValue", repeat, "a boolean")
    amended = frame.amend_time
    text = _text(frame.value, "value")
    return Value(
        _id(frame.id),
        _time(frame.time, "time"),
        None if amended is None else _time(amended, "amendTime"),
        repeat,
        text,
        _number(text, "value"),
    )


def _stats(frame: _Envelope) -> Stats:
    raws = (
        frame.value,
        frame.utilized_depth,
        frame.value_bid,
        frame.value_ask,
        frame.mid_price,
    )
    texts = tuple(map(_text, raws, _DECIMALS))
    numbers = tuple(map(_number, texts, _DECIMALS))
    return Stats(_id(frame.id), _time(frame.time, "time"), texts, numbers)


def _listing(frame: _Envelope) -> Listing:
    if type(frame.streams) is not list:
        raise _wrong("streams", frame.streams, "an array")
    entries = (s.get("id") for s in frame.streams if type(s) is dict)
    return Listing(frozenset(i for i in entries if type(i) is str))


def _echo(_frame: _Envelope) -> Echo:
    return Echo()


_READERS: Mapping[str, Callable[[_Envelope], Message]] = {
    VALUE: _value,
    RTI_STATS: _stats,
    "info": _listing,
    "subscribe": _echo,
    "unsubscribe": _echo,
}


def _refusal(frame: _Envelope) -> Refusal:
    fields = (frame.type, frame.id, frame.stream)
    command, index, stream = (f if type(f) is str else "" for f in fields)
    said = frame.reason
    reason = _cut(said) if type(said) is str and said else "no reason given"
    return Refusal(command, index, stream, reason)


def _id(value: object) -> str:
    if type(value) is str:
        return value
    raise _wrong("id", value, "a string")


def _time(value: object, field: str) -> int:
    if type(value) is not int:
        raise _wrong(field, value, "an integer, milliseconds")
    if EARLIEST_MS <= value < LATEST_MS:
        return value
    seen = _cut(str(value))
    raise _Fault(Reason.OUT_OF_RANGE, f"{field} {seen} is not in milliseconds")


def _text(raw: Raw, field: str) -> str:
    source = bytes(raw)
    if not source:
        raise _wrong(field, None, "a decimal")
    if source[0] != ord('"'):
        return source.decode("ascii", "replace")
    try:
        return _STRING.decode(source)
    except ValueError as error:
        raise _Fault(Reason.NOT_A_DECIMAL, f"{field}: {_cut(str(error))}") from error


def _number(text: str, field: str) -> int:
    try:
        return unscaled(text)
    except ValueError as error:
        raise _Fault(Reason.NOT_A_DECIMAL, f"{field}: {error}") from error


def _wrong(field: str, value: object, expected: str) -> _Fault:
    return _Fault(
        Reason.WRONG_TYPE, f"{field} is {_described(value)}, expected {expected}"
    )


def _described(value: object) -> str:
    return "missing or null" if value is None else f"of type {type(value).__name__}"


def _cut(text: str) -> str:
    """Keep both ends of a long text."""
    if len(text) <= _SHOWN:
        return text
    half = _SHOWN // 2
    return f"{text[:half]}...{text[-half:]}"
