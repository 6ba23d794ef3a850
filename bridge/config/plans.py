"""The connections and topics that follow from the settings, and what must hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
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


def wanted_topics(
    settings: Settings, connections: Sequence[Plan] | None = None
) -> list[Topic]:
    """Return every topic that is needed, with its shape and the reason.

    Args:
        settings: what is set.
        connections: the plans of feeds and orders; the default is the settings' own.
    """
    plans = settings.connections() if connections is None else connections
    topics = settings.topics
    shapes = {name: _shape(topics, part) for name, part in topics.overrides.items()}
    default = _shape(topics, TopicOverride())
    feeds = feed_topics(plans, topics.template, shapes, default)
    own = own_topics(topics.dead_letter, topics.feed_state, default)
    fleet = _fleet_topics(settings, default)
    return [*feeds, *own, *fleet, *_order_topics(settings, default)]


def _fleet_topics(settings: Settings, default: Shape) -> Iterator[Topic]:
    """Yield what workers share: run-time subscriptions, and who runs what."""
    text = "what was subscribed and unsubscribed at run time"
    name = settings.topics.subscriptions
    yield _latest(default).topic(name, text, cleanup_policy="compact")
    if settings.ownership.mode == "group":
        count = settings.ownership.partitions
        dealt = msgspec.structs.replace(default, partitions=count)
        text = "deals out subscriptions to the workers; stays empty"
        yield dealt.topic(settings.topics.assignment, text)


def _latest(default: Shape) -> Shape:
    """Return the shape of a topic that keeps the last record of each key."""
    return msgspec.structs.replace(default, partitions=1, retention_hours=None)


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
        text = "trading state of every account"
        name = settings.topics.control
        found.append(_latest(default).topic(name, text, cleanup_policy="compact"))
    return found


def _shape(topics: Topics, part: TopicOverride) -> Shape:
    return Shape(
        partitions=part.partitions or topics.partitions,
        replication=part.replication or topics.replication,
        retention_hours=part.retention_hours or topics.retention_hours,
        config=part.config,
    )


def plan_problems(
    settings: Settings, connections: Sequence[Plan] | None = None
) -> Found:
    """Yield what is wrong with the plans of settings that hold otherwise.

    Args:
        settings: what is set.
        connections: the plans of feeds and orders; the default is the settings' own.
    """
    plans = settings.connections() if connections is None else connections
    yield from _connections(settings, plans)
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


def _connections(settings: Settings, plans: Sequence[Plan]) -> Found:
    """Yield the hosts that this worker alone would need too many connections to.

    Where workers share the plans, no file can tell: `feedbridge check --workers` does,
    and a worker never opens more than its part.
    """
    most = settings.transport.own_connections
    hosts = Counter(urlsplit(plan.url).netloc for plan in plans)
    for host, count in hosts.items():
        if count > most and settings.ownership.mode == "static":
            yield Broken(
                _path(next(plan for plan in plans if host in plan.url)),
                f"{count} connections to {host} are needed and {most} allowed; raise "
                "books_per_connection, or share the work (ownership: group)",
            )


def _mixed(settings: Settings, topics: dict[str, set[str]]) -> Found:
    own = _own_names(settings)
    for name, streams in sorted(topics.items()):
        if name in own:
            yield Broken("topics.template", f"{name} is a topic of feedbridge's own")
        if len({schema_of(stream) for stream in streams}) > 1:
            listed = " and ".join(sorted(streams))
            yield Broken(
                "topics.template", f"{listed} meet in the topic {name}; change it"
            )


def _own_names(settings: Settings) -> set[str]:
    """Return the topics that no feed may write to."""
    commands = settings.commands
    journals = {part.responses for part in commands.values()}
    return {*settings.topics.own().values(), *commands, *journals}


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
