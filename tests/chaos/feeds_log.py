"""What the feed topics say, read with a generic Avro reader that knows the schemas."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient

from tests.chaos.log import Reader

STATES, DESIRED = "feedbridge.feed-state", "feedbridge.subscriptions"
NO_FEEDS = frozenset({"finery.commands", "finery.responses"})
PATIENCE_S = 120.0
_ALONE = {
    "group.id": "none",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "log_level": 0,  # a broker that is away is no news here
}

Level = Mapping[str, Any]
Sides = tuple[Sequence[Level], Sequence[Level]]


class Line(NamedTuple):
    """A feed record; `at_ms` is its `receivedAt`, `sides` are a book's two."""

    topic: str
    partition: int
    offset: int
    source: str
    subscription: str
    connection: str
    sequence: int
    at_ms: int
    action: str
    state: str = ""
    reason: str = ""
    lost: int | None = None
    sides: Sides | None = None

    @property
    def key(self) -> str:
        """Name the subscription."""
        return f"{self.source}/{self.subscription}"

    @property
    def place(self) -> str:
        """Say where it lies."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Claim(NamedTuple):
    """A record of the feed states: who runs a subscription, and how it stands."""

    source: str
    subscription: str
    connection: str
    worker: str
    state: str
    since_ms: int

    @property
    def key(self) -> str:
        """Name the subscription."""
        return f"{self.source}/{self.subscription}"


class Wish(NamedTuple):
    """From `at_ms` on, a subscription is wanted, or no longer."""

    key: str
    wanted: bool
    at_ms: int


def feed_topics(bootstrap: str) -> list[str]:
    """Return the names of all topics that feeds are written to."""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    venues = ("finery.", "cfbenchmarks.")
    topics = client.list_topics(timeout=30).topics
    return sorted(t for t in topics if t.startswith(venues) and t not in NO_FEEDS)


def lines(bootstrap: str) -> Iterator[Line]:
    """Yield all feed records there are, in order within each partition."""
    reader = Reader()
    for message in messages(bootstrap, feed_topics(bootstrap)):
        yield line_of(message, reader.read(message.value() or b""))


def wishes(bootstrap: str) -> list[Wish]:
    """Return what was asked for at run time, in the order of asking."""
    reader = Reader()
    told = [reader.read(m.value() or b"") for m in messages(bootstrap, [DESIRED])]
    return [
        Wish(f"{t['source']}/{t['subscription']}", t["state"] == "WANTED", t["at"])
        for t in told
    ]


def line_of(message: ck.Message, told: Mapping[str, Any]) -> Line:
    """Return what the judge needs of a feed record."""
    boundary = told["boundary"] or {"state": "", "reason": "", "lost": None}
    return Line(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        source=told["source"],
        subscription=told["subscription"],
        connection=told["connection"],
        sequence=told["sequence"],
        at_ms=told["receivedAt"] // 1000,
        action=told["action"],
        state=boundary["state"],
        reason=boundary["reason"],
        lost=boundary["lost"],
        sides=(told["bids"], told["asks"]) if "bids" in told else None,
    )


def claim_of(told: Mapping[str, Any]) -> Claim:
    """Return what is needed of a feed state."""
    return Claim(
        source=told["source"],
        subscription=told["subscription"],
        connection=told["connection"],
        worker=told["worker"],
        state=told["boundary"]["state"],
        since_ms=told["since"] // 1000,
    )


def messages(bootstrap: str, topics: Sequence[str]) -> Iterator[ck.Message]:
    """Yield everything in some topics, from the oldest to the present end."""
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, **_ALONE})
    left = assign_all(consumer, topics)
    limit = time.monotonic() + PATIENCE_S
    while left:
        assert time.monotonic() < limit, f"{', '.join(topics)} could not be read"
        message = consumer.poll(1.0)
        if message is None:
            continue
        error = message.error()
        if error is None:
            yield message
        elif error.code() == ck.KafkaError._PARTITION_EOF:
            left -= 1
    consumer.close()


def assign_all(consumer: ck.Consumer, topics: Sequence[str]) -> int:
    """Read all partitions of some topics from the start; return how many."""
    known = consumer.list_topics(timeout=30).topics
    places = [ck.TopicPartition(t, p, 0) for t in topics for p in known[t].partitions]
    consumer.assign(places)
    return len(places)
