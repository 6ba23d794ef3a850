"""`feedbridge verify`: proves that topics are complete, or lists the holes."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from bridge.app.destinations import feed_schemas
from bridge.config import Settings, load
from bridge.core.verify import Result, Verifier
from bridge.errors import ConfigError, SchemaError, Undelivered
from bridge.verbs.out import say, say_json, table
from bridge.verbs.records import decoder_of, reading, seen_of

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
    results, unreadable = asyncio.run(read(settings, topics))
    summary = summarise(results, unreadable)
    if args.json:
        say_json(summary)
    else:
        show(results, unreadable)
    return 0 if summary["complete"] else Undelivered.exit_code


def _feed_topics(settings: Settings) -> list[str]:
    if not settings.accounts():
        raise ConfigError(["verify: --all needs the accounts; give their --config"])
    return sorted(feed_schemas(settings))


async def read(
    settings: Settings, topics: Sequence[str]
) -> tuple[list[Result], list[str]]:
    """Return what was found, and a sentence for each record that cannot be read."""
    verifier, decoder = Verifier(), decoder_of(settings)
    unreadable: list[str] = []
    async with reading(settings, topics) as messages:
        async for message in messages:
            try:
                seen = seen_of(message, decoder)
            except SchemaError as error:
                place = f"{message.topic}[{message.partition}]@{message.offset}"
                unreadable.append(f"{place}: {error}")
                continue
            if seen is not None:
                verifier.take(seen)
    return verifier.results(), unreadable


def summarise(results: Sequence[Result], unreadable: Sequence[str]) -> dict[str, Any]:
    """Return everything that was found, JSON-ready."""
    return {
        "complete": not unreadable and all(result.complete for result in results),
        "records": sum(result.records for result in results),
        "missing_explained": sum(result.explained for result in results),
        "missing_unexplained": sum(result.unexplained for result in results),
        "repeats": sum(result.repeats for result in results),
        "disorder": sum(result.disorder for result in results),
        "gaps": sum(len(result.gaps) for result in results),
        "unreadable": list(unreadable[:SHOWN]),
        "subscriptions": [result.as_dict() for result in results],
    }


def show(results: Sequence[Result], unreadable: Sequence[str]) -> None:
    """Print a line a subscription, then what is amiss, then the verdict."""
    say(table(HEADERS, [_row(result) for result in results]))
    for line in [*_details(results), *unreadable][:SHOWN]:
        say(line)
    facts = summarise(results, unreadable)
    verdict = "complete" if facts["complete"] else "NOT complete"
    say(
        f"{verdict}: {len(results)} subscriptions, {facts['records']:,} records, "
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
