"""Topics: which ones the plans need, in which shape, and how Kafka's may differ."""

from __future__ import annotations

import pytest

from bridge.core.model import Plan, Subscription
from bridge.core.topics import (
    Existing,
    Shape,
    Topic,
    differences,
    feed_topics,
    own_topics,
    topic_of,
)
from bridge.errors import ConfigError


def subscription(stream: str, feed_id: str = "") -> Subscription:
    name = stream.partition(".")[2]
    return Subscription(
        source="desk",
        name=f"{name}:{feed_id}" if feed_id else name,
        stream=stream,
        key="",
        partition_key="",
        feed_id=feed_id,
    )


def plan(*subscriptions: Subscription) -> Plan:
    return Plan(
        source="desk",
        venue="finery",
        name="p",
        subscriptions=subscriptions,
        bindings=(),
        url="ws://localhost",
    )


BOOKS = [subscription("finery.book.tradable", f"X{n}-USD") for n in range(3)]
SHAPE = Shape(partitions=6)
TOPIC = Shape(partitions=6, retention_hours=1).topic("t", "why")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{venue}.{stream}", "finery.book.tradable"),
        ("{source}.{stream}.{feed_id}", "desk.book.tradable.X0-USD"),
        ("prod-{venue}.{stream}", "prod-finery.book.tradable"),
    ],
)
def test_the_template_names_the_topic(template: str, name: str) -> None:
    """The stream stands in the template without its venue."""
    assert topic_of(template, "finery", BOOKS[0]) == name


def test_a_name_that_kafka_refuses_is_refused_here() -> None:
    """A feed id with a slash cannot be part of a topic's name."""
    with pytest.raises(ConfigError):
        topic_of("{stream}.{feed_id}", "finery", subscription("finery.x", "A/B"))


def test_each_topic_is_planned_once() -> None:
    """Subscriptions of one stream share a topic; the reason names some of them."""
    orders = subscription("finery.orders")
    topics = feed_topics([plan(*BOOKS), plan(orders)], "{venue}.{stream}", {}, SHAPE)

    assert [t.name for t in topics] == ["finery.book.tradable", "finery.orders"]
    assert topics[0].why == (
        "desk/book.tradable:X0-USD, desk/book.tradable:X1-USD and 1 more"
    )


def test_an_override_is_for_one_stream() -> None:
    """Overrides go by the stream, whatever its topics are called."""
    shapes = {"finery.book.tradable": Shape(partitions=24, replication=3)}
    orders = subscription("finery.orders")
    topics = feed_topics([plan(BOOKS[0], orders)], "x.{stream}", shapes, SHAPE)

    assert [(t.partitions, t.replication) for t in topics] == [(24, 3), (6, -1)]


def test_feedbridge_has_two_topics_of_its_own() -> None:
    """Dead letters expire, feed states are compacted; both have one partition."""
    shape = Shape(partitions=6, retention_hours=2)
    dead, state = own_topics("dead", "state", shape)

    assert (dead.partitions, dead.cleanup) == (1, "delete")
    assert dead.config["retention.ms"] == "7200000"
    assert (state.partitions, dict(state.config)) == (1, {"cleanup.policy": "compact"})


@pytest.mark.parametrize(
    ("partitions", "replication", "config", "words"),
    [
        (6, 1, {}, []),
        (6, 1, {"cleanup.policy": "delete", "retention.ms": "3600000"}, []),
        (3, 1, {}, ["has 3 partitions, 6 wanted; add some"]),
        (9, 1, {}, ["has 9 partitions, 6 wanted; set partitions"]),
        (6, 1, {"cleanup.policy": "compact"}, ["has cleanup.policy=compact, delete"]),
        (
            3,
            1,
            {"retention.ms": "1"},
            ["has 3 partitions", "has retention.ms=1, 3600000 wanted"],
        ),
    ],
)
def test_differences_are_told_with_what_to_do(
    partitions: int, replication: int, config: dict[str, str], words: list[str]
) -> None:
    """Too few partitions and a wrong policy are found before they hurt."""
    existing = Existing(
        name="t", partitions=partitions, replication=replication, config=config
    )
    found = differences(TOPIC, existing)

    assert len(found) == len(words)
    assert all(line.startswith(start) for line, start in zip(found, words, strict=True))


def test_too_few_replicas_are_told() -> None:
    """More replicas than wanted are no fault, fewer are."""
    wanted = Topic(name="t", partitions=1, replication=3, config={}, why="")
    few = Existing(name="t", partitions=1, replication=1, config={})
    many = Existing(name="t", partitions=1, replication=5, config={})

    assert differences(wanted, few) == [
        "has 1 replicas, 3 wanted; reassign its partitions"
    ]
    assert differences(wanted, many) == []
