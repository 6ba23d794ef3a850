"""`feedbridge tail`: decoded records, a JSON line or a table line each."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from bridge.config import Settings, load
from bridge.core.codec import Decoder
from bridge.edge.consumer import Message
from bridge.errors import SchemaError
from bridge.verbs.out import printable, say, say_json
from bridge.verbs.records import at_ms, decoder_of, main_fields, reading, words


def main(args: argparse.Namespace) -> int:
    """Print records until the end, the count, the time, or Ctrl-C."""
    settings = load(args.config, venues=False)
    asyncio.run(_tail(args, settings))
    return 0


async def _tail(args: argparse.Namespace, settings: Settings) -> None:
    decoder, left = decoder_of(settings), args.count
    show = _table_line if args.table else _json_line
    follow = args.follow or args.start == "end"
    found = reading(settings, args.topics, start=args.start, follow=follow)
    try:
        async with asyncio.timeout(args.seconds):
            async with found as messages:
                async for message in messages:
                    show(message, decoder)
                    sys.stdout.flush()
                    left = None if left is None else left - 1
                    if left == 0:
                        return
    except TimeoutError:
        return


def decoded(message: Message, decoder: Decoder) -> dict[str, Any]:
    """Return a record with where it lies; raw text where it is not Avro of ours."""
    place: dict[str, Any] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp_ms,
        "key": _text(message.key),
    }
    if message.headers:
        place["headers"] = {name: _text(value) for name, value in message.headers}
    if message.value is None:
        return {**place, "record": None}
    try:
        return {**place, "record": decoder.decode(message.value)}
    except SchemaError as error:
        return {**place, "error": str(error), "raw": _text(message.value)}


def _text(value: bytes | str | None) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def _json_line(message: Message, decoder: Decoder) -> None:
    say_json(decoded(message, decoder))


def _table_line(message: Message, decoder: Decoder) -> None:
    when = at_ms(max(0, message.timestamp_ms))
    place = f"{message.topic}[{message.partition}]@{message.offset}"
    say(printable(f"{when} {place}  {_what(decoded(message, decoder))}"))


def _what(found: Mapping[str, Any]) -> str:
    if "raw" in found:
        told = main_fields(found.get("headers", {}))
        return f"{told} {found['raw'] or found['error']}".lstrip()
    if found["record"] is None:
        return f"{found['key']}: no value"
    return _words(found["record"])


def _words(record: Mapping[str, Any]) -> str:
    if "sequence" not in record:
        return words(record)
    name = f"{record['source']}/{record['subscription']}"
    return f"{name} #{record['sequence']} {record.get('action', '')} {words(record)}"
