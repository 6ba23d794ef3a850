"""The connections and topics that follow from the settings, and what must hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from bridge.config.kafka import TopicOverride, Topics
from bridge.config.problems import Broken
from bridge.config.tree import Settings
from bridge.core.model import Plan, Subscription
from bridge.core.topics import Shape, Topic, feed_topics, own_topics, topic_of
from bridge.errors import ConfigError
from bridge.venues import VENUES

Found = Iterator[Broken]

# Most connections that a venue takes from one address; source: Finery's manual,
# "Limits". The other venue names none, and the same bound does no harm.
CONNECTIONS_PER_HOST = 100


def wanted_topics(settings: Settings) -> list[Topic]:
    """Return every topic that the settings need, with its shape and the reason."""
    topics = settings.topics
    shapes = {name: _shape(topics, part) for name, part in topics.overrides.items()}
    default = _shape(topics, TopicOverride())
    feeds = feed_topics(settings.connections(), topics.template, shapes, default)
    own = own_topics(topics.dead_letter, topics.feed_state, default)
    return [*feeds, *own, *_order_topics(settings, default)]


def _order_topics(settings: Settings, default: Shape) -> list[Topic]:
    """Return command and response topics, and the one that halts them."""
    found = []
    for name, section in settings.commands.items():
        hours = section.retention_hours or default.retention_hours
        kept = msgspec.structs.replace(default, retention_hours=hours)
        found += [
            default.topic(name, "commands for " + ", ".join(section.accounts)),
            kept.topic(section.responses, f"responses to {name}, and its journal"),
        ]
    if found:
        one = msgspec.structs.replace(default, partitions=1, retention_hours=None)
        text = "trading state of every account"
        control = one.topic(settings.topics.control, text, cleanup_policy="compact")
        found.append(control)
    return found


def _shape(topics: Topics, part: TopicOverride) -> Shape:
    return Shape(
        partitions=part.partitions or topics.partitions,
        replication=part.replication or topics.replication,
        retention_hours=part.retention_hours or topics.retention_hours,
        config=part.config,
    )


def plan_problems(settings: Settings) -> Found:
    """Yield what is wrong with the plans of settings that hold otherwise."""
    plans = settings.connections()
    yield from _connections(plans)
    topics: dict[str, set[str]] = defaultdict(set)
    for plan in plans:
        for subscription in plan.subscriptions:
            try:
                name = topic_of(settings.topics.template, plan.venue, subscription)
            except ConfigError as error:
                yield Broken(_path(plan), f"{subscription.name}: {error}")
                continue
            topics[name].add(subscription.stream)
    yield from _mixed(settings, topics)
    yield from _repeated([(p, s) for p in plans for s in p.subscriptions])


def schema_of(stream: str) -> str:
    """Return the full name of the schema of a stream, which names its venue first."""
    venue, _, name = stream.partition(".")
    return VENUES[venue].streams[name].schema


def _path(plan: Plan) -> str:
    return f"{plan.venue}.{plan.source}.subscriptions"


def _connections(plans: list[Plan]) -> Found:
    hosts = Counter(urlsplit(plan.url).netloc for plan in plans)
    for host, count in hosts.items():
        if count > CONNECTIONS_PER_HOST:
            yield Broken(
                _path(next(plan for plan in plans if host in plan.url)),
                f"{count} connections to {host} are needed and {CONNECTIONS_PER_HOST} "
                "allowed; raise books_per_connection, or use another address",
            )


def _mixed(settings: Settings, topics: dict[str, set[str]]) -> Found:
    own = {settings.topics.dead_letter, settings.topics.feed_state}
    for name, streams in sorted(topics.items()):
        if name in own:
            yield Broken("topics.template", f"{name} is a topic of feedbridge's own")
        if len({schema_of(stream) for stream in streams}) > 1:
            listed = " and ".join(sorted(streams))
            yield Broken(
                "topics.template", f"{listed} meet in the topic {name}; change it"
            )


def _repeated(pairs: list[tuple[Plan, Subscription]]) -> Found:
    counts = Counter((s.source, s.name) for _, s in pairs)
    for plan, subscription in pairs:
        count = counts.pop((subscription.source, subscription.name), 1)
        if count > 1:
            yield Broken(
                _path(plan),
                f"{subscription.name} would be written {count} times over; keep one, "
                "or give labels",
            )
