"""What is wanted now: reads the topic of run-time subscriptions beside the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from bridge.app.destinations import login_of
from bridge.config import Settings
from bridge.config.desired import Resolved, resolve
from bridge.config.plans import wanted_topics
from bridge.core.codec import Codec
from bridge.core.envelopes import Reader
from bridge.core.model import Plan
from bridge.core.topics import Topic
from bridge.edge.admin import Admin
from bridge.edge.compacted import read_compacted
from bridge.edge.registry import Registry
from bridge.edge.schemas import bundled
from bridge.errors import KafkaError
from bridge.venues import VENUES


class Held(NamedTuple):
    """What the topic holds by key, and how many partitions it has."""

    values: Mapping[bytes, bytes]
    partitions: int


async def read_topic(settings: Settings) -> Held:
    """Read the newest record of each subscription.

    Raises:
        KafkaError: the topic is not there, or no broker answers.
    """
    held = await _held(settings)
    if held is None:
        topic = settings.topics.subscriptions
        raise KafkaError(f"no topic {topic}; run `feedbridge topics --apply`")
    return held


async def look(settings: Settings) -> Resolved:
    """Return what is wanted now; where there is no topic, what the settings say.

    Raises:
        KafkaError: no broker answers, or the topic cannot be read.
        SchemaError: the registry is away.
    """
    held = await _held(settings)
    values = held.values if held else {}
    return await asyncio.to_thread(resolve, settings, values, reader_of(settings))


async def _held(settings: Settings) -> Held | None:
    options, topic = settings.kafka.properties(), settings.topics.subscriptions
    counts = await Admin(options).partition_counts([topic])
    if topic not in counts:
        return None
    return Held(await read_compacted(options, topic), counts[topic])


def reader_of(settings: Settings) -> Reader:
    """Return what reads the records; it blocks where it asks the registry."""
    login = login_of(settings)
    registry = Registry(login) if login else None
    return Reader(Codec(bundled()), registry.schema if registry else None)


def topics_now(settings: Settings, now: Resolved) -> list[Topic]:
    """Return every topic that is needed for what is wanted now."""
    return wanted_topics(settings, connections(settings, now))


def connections(settings: Settings, now: Resolved) -> list[Plan]:
    """Return the plans of the feeds that are wanted now, and those of orders."""
    feeds = [p for s in now.sources for p in VENUES[s.venue].plans(s)]
    return [*feeds, *settings.order_plans()]
