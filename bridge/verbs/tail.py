"""`feedbridge tail`: decoded records, a JSON line or a table line each."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from bridge.config import Settings, load
from bridge.core.codec import Decoder
from bridge.edge.clock import wall_ns
from bridge.edge.consumer import Message
from bridge.errors import SchemaError
from bridge.verbs.out import say, say_json
from bridge.verbs.records import decoder_of, reading, words


def main(args: argparse.Namespace) -> int:
    """Print records until the end, the count, the time, or Ctrl-C."""
    settings = load(args.config, venues=False)
    asyncio.run(_tail(args, settings))
    return 0


async def _tail(args: argparse.Namespace, settings: Settings) -> None:
    decoder, left = decoder_of(settings), args.count
    show = _table_line if args.table else _json_line
    try:
        async with asyncio.timeout(args.seconds):
            async with aclosing(_messages(args, settings)) as messages:
                async for message in messages:
                    show(message, decoder)
                    sys.stdout.flush()
                    left = None if left is None else left - 1
                    if left == 0:
                        return
    except TimeoutError:
        return


async def _messages(
    args: argparse.Namespace, settings: Settings
) -> AsyncGenerator[Message, None]:
    """Yield what was asked for; from the end means what comes from now on."""
    from_ms = wall_ns() // 1_000_000 if args.start == "end" else -1
    follow = args.follow or args.start == "end"
    async with reading(settings, args.topics, follow=follow) as messages:
        async for message in messages:
            if message.timestamp_ms >= from_ms:
                yield message


def decoded(message: Message, decoder: Decoder) -> dict[str, Any]:
    """Return a record with where it lies; raw text where it is not Avro of ours."""
    place = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp_ms,
        "key": _text(message.key),
    }
    if message.headers:
        headers = {name: _text(value) for name, value in message.headers}
        return {**place, "headers": headers, "raw": _text(message.value)}
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
    found = decoded(message, decoder)
    record = found.get("record")
    when = datetime.fromtimestamp(max(0, message.timestamp_ms) / 1000, UTC)
    place = f"{message.topic}[{message.partition}]@{message.offset}"
    what = _words(record) if record else found.get("raw") or found.get("error", "")
    say(f"{when:%H:%M:%S}.{when.microsecond // 1000:03} {place}  {what}")


def _words(record: dict[str, Any]) -> str:
    if "sequence" not in record:
        return words(record)
    name = f"{record['source']}/{record['subscription']}"
    return f"{name} #{record['sequence']} {record.get('action', '')} {words(record)}"
