"""`feedbridge topics`: the topics that the settings need, and how Kafka's differ."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bridge.app.subscriptions import look, topics_now
from bridge.config import Settings, load
from bridge.config.plans import wanted_topics
from bridge.core.topics import Existing, Topic, differences
from bridge.edge.admin import Admin, TopicSpec, TopicState
from bridge.errors import KafkaError
from bridge.verbs.out import say, say_json, table

HEADERS = (
    "topic", "partitions", "replication", "cleanup", "retention", "state", "why",
)  # fmt: skip
HOUR_MS = 3_600_000


class Line(NamedTuple):
    """One topic, and what Kafka says about it."""

    topic: Topic
    state: str
    problems: Sequence[str] = ()


def main(args: argparse.Namespace) -> int:
    """Show the plan; with --apply, create what is missing. 5 if a topic differs."""
    settings = load(args.config, venues=False)
    lines = asyncio.run(_look(settings, apply=args.apply))
    if args.json:
        say_json([_facts(line) for line in lines])
    else:
        show(lines)
    return KafkaError.exit_code if any(line.problems for line in lines) else 0


async def _look(settings: Settings, *, apply: bool) -> list[Line]:
    admin = Admin(settings.kafka.properties())
    try:
        wanted = topics_now(settings, await look(settings))
        known = await admin.describe([topic.name for topic in wanted])
    except KafkaError as error:
        if apply:
            raise
        # The plan is worth showing even so; the reason stands below it once.
        away = [Line(topic, "not asked") for topic in wanted_topics(settings)]
        return [*away[:-1], away[-1]._replace(problems=[str(error)])]
    created: list[str] = []
    if apply:
        created = await admin.create([_spec(t) for t in wanted if t.name not in known])
    return [judge(topic, known, created) for topic in wanted]


def _spec(topic: Topic) -> TopicSpec:
    return TopicSpec(topic.name, topic.partitions, topic.replication, topic.config)


def judge(
    topic: Topic, known: Mapping[str, TopicState], created: Sequence[str]
) -> Line:
    """Compare one topic of the plan with what is there."""
    if topic.name in created:
        return Line(topic, "created")
    if topic.name not in known:
        return Line(topic, "missing")
    state = known[topic.name]
    existing = Existing(
        name=state.name,
        partitions=state.partitions,
        replication=state.replication,
        config=state.configs,
    )
    problems = differences(topic, existing)
    return Line(topic, "differs" if problems else "there", problems)


def show(lines: Sequence[Line]) -> None:
    """Print a line a topic, then what differs, then what to do."""
    say(table(HEADERS, [_row(line) for line in lines]))
    for line in lines:
        for problem in line.problems:
            say(f"{line.topic.name}: {problem}")
    missing = sum(line.state == "missing" for line in lines)
    if missing:
        say(f"{missing} missing; `feedbridge topics --apply` creates them")


def _row(line: Line) -> tuple[object, ...]:
    topic = line.topic
    return (
        topic.name,
        topic.partitions,
        "broker's" if topic.replication < 0 else topic.replication,
        topic.cleanup,
        _retention(topic),
        line.state,
        topic.why,
    )


def _retention(topic: Topic) -> str:
    if topic.cleanup == "compact":
        return "last of each key"
    kept = topic.config.get("retention.ms")
    return "broker's" if kept is None else f"{int(kept) / HOUR_MS:g} h"


def _facts(line: Line) -> dict[str, Any]:
    topic = line.topic
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "replication": None if topic.replication < 0 else topic.replication,
        "config": dict(topic.config),
        "why": topic.why,
        "state": line.state,
        "problems": list(line.problems),
    }
