"""`feedbridge check`: what follows from the settings, and whether all of it answers."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from bridge.config import Settings, load
from bridge.config.plans import schema_of, wanted_topics
from bridge.core.model import Plan, Subscription
from bridge.core.routing import partition
from bridge.core.topics import topic_of
from bridge.venues import VENUES
from bridge.verbs.crew import Crew, crew, facts, show
from bridge.verbs.out import say, say_json, table
from bridge.verbs.probe import Answer, probe

HEADERS = (
    "subscription", "topic", "partition", "key", "partition key", "schema", "guarantee",
)  # fmt: skip


def main(args: argparse.Namespace) -> int:
    """Show what follows; with --connect, open every dependency and close it again."""
    settings = load(args.config)
    answers = asyncio.run(probe(settings)) if args.connect else []
    group = crew(settings, args.workers) if args.workers else None
    if args.json:
        say_json(_facts(settings, group, answers))
    else:
        _show(settings, group, answers)
    return next((answer.exit_code for answer in answers if not answer.ok), 0)


def rows(settings: Settings) -> list[dict[str, Any]]:
    """Return a line a subscription."""
    partitions = {topic.name: topic.partitions for topic in wanted_topics(settings)}
    return [
        _row(settings, plan, subscription, partitions)
        for plan in settings.plans()
        for subscription in plan.subscriptions
    ]


def _row(
    settings: Settings, plan: Plan, one: Subscription, partitions: dict[str, int]
) -> dict[str, Any]:
    topic = topic_of(settings.topics.template, plan.venue, one)
    stream = VENUES[plan.venue].streams[one.stream.removeprefix(f"{plan.venue}.")]
    return {
        "subscription": f"{one.source}/{one.name}",
        "topic": topic,
        "partition": partition(one.partition_key.encode(), partitions[topic]),
        "key": stream.key,
        "partition_key": one.partition_key,
        "schema": schema_of(one.stream),
        "guarantee": stream.guarantee,
        "connection": f"{plan.source}/{plan.name}",
    }


def connections(settings: Settings) -> list[dict[str, Any]]:
    """Return a line a planned connection."""
    return [
        {
            "connection": f"{plan.source}/{plan.name}",
            "url": plan.url,
            "bindings": len(plan.bindings),
            "subscriptions": len(plan.subscriptions),
        }
        for plan in settings.plans()
    ]


def advice(settings: Settings) -> list[str]:
    """Return sentences on what is allowed, but rarely meant."""
    found = [
        f"{part.source}: {part.url} is not encrypted, so its login travels in the clear"
        for part in settings.plans()
        if part.url.startswith("ws://") and not is_loopback(part.url)
    ]
    if settings.registry.url is None:
        found.append(
            "registry.url is not set: records are in Avro single-object encoding, "
            "which readers for Confluent's wire format do not take"
        )
    return list(dict.fromkeys(found))


def is_loopback(url: str) -> bool:
    """Tell whether an address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _facts(
    settings: Settings, group: Crew | None, answers: Sequence[Answer]
) -> dict[str, Any]:
    return {
        "subscriptions": rows(settings),
        "connections": connections(settings),
        "advice": advice(settings),
        "group": facts(group, settings.ownership.mode) if group else None,
        "answers": [answer.facts() for answer in answers],
    }


def _show(settings: Settings, group: Crew | None, answers: Sequence[Answer]) -> None:
    found = rows(settings)
    say(table(HEADERS, [list(row.values())[: len(HEADERS)] for row in found]))
    planned = connections(settings)
    counts = Counter(line["url"] for line in planned)
    say()
    for line in planned:
        say(f"connection {line['connection']}: {line['bindings']} bindings")
    for url, count in counts.items():
        say(f"{count} connections to {url}")
    for sentence in advice(settings):
        say(f"note: {sentence}")
    if group:
        show(group, settings.ownership.mode)
    for answer in answers:
        say(answer.line())
    if not answers:
        say(f"settings are valid: {len(found)} subscriptions; nothing was opened")
