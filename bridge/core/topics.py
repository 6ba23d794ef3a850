"""Which topics a worker needs, with how many partitions and which configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bridge.core.model import Plan, Subscription
from bridge.core.routing import topic_name

HOUR_MS = 3_600_000


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as it should be; `replication` -1 and no config mean the broker's."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    why: str

    @property
    def cleanup(self) -> str:
        """Return the cleanup policy."""
        return self.config.get("cleanup.policy", "delete")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the topics of one stream; None leaves it to the broker."""

    partitions: int
    replication: int | None = None
    retention_hours: float | None = None
    config: Mapping[str, str] = {}

    def topic(self, name: str, why: str, **fixed: str) -> Topic:
        """Return the topic `name` in this shape; `fixed` wins (dots as underscores)."""
        config = {"cleanup.policy": "delete", **self.config}
        if self.retention_hours is not None:
            config["retention.ms"] = str(round(self.retention_hours * HOUR_MS))
        config |= {name.replace("_", "."): value for name, value in fixed.items()}
        return Topic(
            name=name,
            partitions=self.partitions,
            replication=-1 if self.replication is None else self.replication,
            config=config,
            why=why,
        )


class Existing(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as Kafka has it."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def topic_of(template: str, venue: str, subscription: Subscription) -> str:
    """Return the topic of a subscription; raises ConfigError for no legal name."""
    return topic_name(
        template,
        venue=venue,
        source=subscription.source,
        stream=subscription.stream.removeprefix(f"{venue}."),
        feed_id=subscription.feed_id,
    )


def feed_topics(
    plans: Iterable[Plan], template: str, shapes: Mapping[str, Shape], default: Shape
) -> list[Topic]:
    """Return the feed topics of `plans`, each once, in order of name."""
    wanted: dict[str, tuple[str, list[str]]] = {}
    for plan in plans:
        for subscription in plan.subscriptions:
            name = topic_of(template, plan.venue, subscription)
            _, who = wanted.setdefault(name, (subscription.stream, []))
            who.append(f"{subscription.source}/{subscription.name}")
    return [
        shapes.get(stream, default).topic(name, _why(who))
        for name, (stream, who) in sorted(wanted.items())
    ]


def own_topics(dead_letter: str, feed_state: str, shape: Shape) -> list[Topic]:
    """Return feedbridge's own topics."""
    one = msgspec.structs.replace(shape, partitions=1)
    kept = msgspec.structs.replace(one, retention_hours=None)
    return [
        one.topic(dead_letter, "raw frames that could not be read, with the reason"),
        kept.topic(
            feed_state, "last state of every subscription", cleanup_policy="compact"
        ),
    ]


def _why(who: Sequence[str]) -> str:
    shown = ", ".join(who[:2])
    return f"{shown} and {len(who) - 2} more" if len(who) > 2 else shown  # noqa: PLR2004


def differences(wanted: Topic, existing: Existing) -> list[str]:
    """Say how a topic differs from the plan, each with what to do; empty: it fits."""
    found = []
    if existing.partitions != wanted.partitions:
        found.append(_partitions(wanted, existing))
    if wanted.replication > existing.replication:
        found.append(
            f"has {existing.replication} replicas, {wanted.replication} wanted; "
            "reassign its partitions"
        )
    for name, value in wanted.config.items():
        seen = existing.config.get(name)
        if seen is not None and seen != value:
            found.append(f"has {name}={seen}, {value} wanted; alter the topic")
    return found


def _partitions(wanted: Topic, existing: Existing) -> str:
    seen = f"has {existing.partitions} partitions, {wanted.partitions} wanted; "
    if existing.partitions < wanted.partitions:
        return (
            seen + "add some while nothing runs, since keys move, or lower the setting"
        )
    return seen + "set partitions to what it has"
