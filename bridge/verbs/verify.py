"""`feedbridge verify`: proves that topics are complete, or lists the holes."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bridge.app.destinations import feed_schemas, login_of
from bridge.config import Settings, load
from bridge.core.avro_schema import Record, parse
from bridge.core.avro_wire import Writer, writer_of
from bridge.core.codec import Codec, Decoder
from bridge.core.envelopes import RESPONSE, Reader
from bridge.core.verify import Result, Verifier
from bridge.core.verify_responses import ResponseResult, ResponseVerifier
from bridge.edge.clock import wall_ns
from bridge.edge.consumer import Message
from bridge.edge.registry import Registry
from bridge.edge.schemas import bundled
from bridge.errors import ConfigError, SchemaError, Undelivered
from bridge.verbs import verify_responses as responses
from bridge.verbs.out import say, say_json, table
from bridge.verbs.records import reading, seen_of

SHOWN = 20  # lines below the table
HEADERS = (
    "subscription", "topic", "records", "connections", "starts at", "state", "gaps",
    "explained", "unexplained", "repeats", "disorder", "verdict",
)  # fmt: skip


def main(args: argparse.Namespace) -> int:
    """Read the topics to their present end and judge them; 6 if anything is amiss."""
    settings = load(args.config, venues=False)
    topics = args.topics or (_feed_topics(settings) if args.all else [])
    if not topics:
        raise ConfigError(["verify: no topic is named; name some, or use --all"])
    found = asyncio.run(read(settings, topics, args.open_seconds))
    summary = summarise(found)
    if args.json:
        say_json(summary)
    else:
        show(found)
    return 0 if summary["complete"] else Undelivered.exit_code


def _feed_topics(settings: Settings) -> list[str]:
    if not settings.accounts():
        raise ConfigError(["verify: --all needs the accounts; give their --config"])
    return sorted(feed_schemas(settings))


class Found(NamedTuple):
    """What the topics hold, and a sentence for each record that cannot be read."""

    feeds: list[Result]
    responses: list[ResponseResult]
    unreadable: list[str]


class _Records:
    """Gives each record to the verifier of its kind, which its schema tells."""

    def __init__(self, settings: Settings, open_limit_s: float) -> None:
        login = login_of(settings)
        self._codec = Codec(bundled())
        self._by_id = Registry(login).schema if login else None
        self._decoder = Decoder(self._codec, self._by_id)
        self._reader = Reader(self._codec, self._by_id)
        self._names: dict[int | bytes | None, str] = {}
        self.feeds = Verifier()
        self.responses = ResponseVerifier(open_limit_s)

    def take(self, message: Message) -> None:
        """Take one record; tombstones say nothing.

        Raises:
            SchemaError: it is neither a feed record nor a response.
        """
        if message.value is None:
            return
        if self._schema_name(message.value) == RESPONSE:
            logged = responses.logged_of(message, message.value, self._reader)
            self.responses.take(logged)
        elif seen := seen_of(message, self._decoder):
            self.feeds.take(seen)

    def _schema_name(self, value: bytes) -> str:
        writer = writer_of(value)
        key = writer.schema_id if writer.fingerprint is None else writer.fingerprint
        if key not in self._names:
            self._names[key] = self._look_up(writer)
        return self._names[key]

    def _look_up(self, writer: Writer) -> str:
        """Return the record's name; empty where the decoder shall say what is wrong."""
        schema: Mapping[str, Any] | None = None
        if writer.fingerprint is not None:
            schema = self._codec.by_fingerprint(writer.fingerprint)
        elif self._by_id is not None and writer.schema_id is not None:
            schema = self._by_id(writer.schema_id)
        node = parse(schema) if schema else None
        return node.name if isinstance(node, Record) else ""


async def read(settings: Settings, topics: Sequence[str], open_limit_s: float) -> Found:
    """Read the topics to their present end, and return what was found."""
    records = _Records(settings, open_limit_s)
    unreadable: list[str] = []
    async with reading(settings, topics) as messages:
        async for message in messages:
            try:
                records.take(message)
            except SchemaError as error:
                place = f"{message.topic}[{message.partition}]@{message.offset}"
                unreadable.append(f"{place}: {error}")
    now_ms = wall_ns() // 1_000_000
    answers = records.responses.results(now_ms)
    return Found(records.feeds.results(), answers, unreadable)


def summarise(found: Found) -> dict[str, Any]:
    """Return everything that was found, JSON-ready."""
    feeds = found.feeds
    answers = responses.summarise(found.responses)
    complete = all(result.complete for result in feeds) and answers["complete"]
    return {
        "complete": complete and not found.unreadable,
        "records": sum(result.records for result in feeds),
        "missing_explained": sum(result.explained for result in feeds),
        "missing_unexplained": sum(result.unexplained for result in feeds),
        "repeats": sum(result.repeats for result in feeds),
        "disorder": sum(result.disorder for result in feeds),
        "gaps": sum(len(result.gaps) for result in feeds),
        "unreadable": list(found.unreadable[:SHOWN]),
        "subscriptions": [result.as_dict() for result in feeds],
        "responses": answers if found.responses else None,
    }


def show(found: Found) -> None:
    """Print a line a subscription or partition, what is amiss, then the verdict."""
    if found.responses:
        say(table(responses.HEADERS, [responses.row(r) for r in found.responses]))
        lines = [line for r in found.responses for line in responses.details(r)]
        for line in lines[:SHOWN]:
            say(line)
    if found.feeds or not found.responses:
        say(table(HEADERS, [_row(result) for result in found.feeds]))
    for line in [*_details(found.feeds), *found.unreadable][:SHOWN]:
        say(line)
    if found.responses:
        say(responses.verdict(found.responses))
    if found.feeds or found.unreadable or not found.responses:
        say(_verdict(found))


def _verdict(found: Found) -> str:
    facts = summarise(found._replace(responses=[]))
    verdict = "complete" if facts["complete"] else "NOT complete"
    return (
        f"{verdict}: {len(found.feeds)} subscriptions, {facts['records']:,} records, "
        f"{facts['gaps']} gaps announced, {facts['missing_explained']} missing records "
        f"explained, {facts['missing_unexplained']} unexplained"
    )


def _row(result: Result) -> tuple[object, ...]:
    return (
        f"{result.source}/{result.subscription}",
        f"{result.topic}[{result.partition}]",
        result.records,
        result.connections,
        result.starts_at,
        result.state,
        len(result.gaps),
        result.explained,
        result.unexplained,
        result.repeats,
        result.disorder,
        "complete" if result.complete else "NOT complete",
    )


def _details(results: Sequence[Result]) -> list[str]:
    lines = []
    for result in results:
        name = f"{result.source}/{result.subscription}"
        lines += [
            f"{name}: {hole.missing} missing, sequence {hole.first} to {hole.last}, "
            f"before offset {hole.offset}: {hole.by or 'not explained'}"
            for hole in result.holes
        ]
        lines += [f"{name}: {example}" for example in result.examples]
        lines += [
            f"{name}: gap at offset {gap.offset}: {gap.reason} {gap.detail}".rstrip()
            for gap in result.gaps
        ]
    return lines
