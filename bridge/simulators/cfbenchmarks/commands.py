"""Commands of a client: reading them, and the texts that answer them.

Source: WebSocket API, version 4 (docs.cfbenchmarks.com/api/websocket): a command is
one JSON object; an invalid one is returned with `success` false and a `reason`. A
successful subscribe or unsubscribe has no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions

_Object = dict[str, msgspec.Raw]
_DECODER = msgspec.json.Decoder(_Object)


class Command(NamedTuple):
    """A command as sent: `fields` keep the order and the text of every field."""

    type: str = ""
    id: str = ""
    stream: str = ""
    max_resolution: str | None = None
    fields: _Object | None = None


def read(data: str | bytes) -> Command | None:
    """Read a message of a client; None if it is not a JSON object in a text frame."""
    if isinstance(data, bytes):
        return None
    try:
        fields = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    resolution = _text(fields, "maxResolution") if "maxResolution" in fields else None
    return Command(
        _text(fields, "type"),
        _text(fields, "id"),
        _text(fields, "stream"),
        resolution,
        fields,
    )


def failure(command: Command | None, reason: str) -> str:
    """Return the command with `success` false and the reason added."""
    fields = dict(command.fields or {}) if command else {}
    return _json({**fields, "success": False, "reason": reason})


def success(command: Command) -> str:
    """Return the echo that a public client's fixture shows for an unsubscribe."""
    return _json({**(command.fields or {}), "success": True})


def info(ids: Sequence[str], options: CfBenchmarksOptions) -> str:
    """Return the list of streams, in the order given."""
    answer = {"type": "info", "streams": [{"id": index_id} for index_id in ids]}
    text = _json(answer)
    return text.replace(":", ": ").replace(",", ", ") if options.spaces else text


def _text(fields: _Object, name: str) -> str:
    """Return a field if it is a string; any other type reads as empty."""
    raw = fields.get(name)
    if raw is None:
        return ""
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.ValidationError:
        return ""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
