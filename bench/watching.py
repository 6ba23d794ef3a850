"""Follows topics while workers write them, and fills the timelines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import confluent_kafka as ck

from bench.timelines import Timelines
from bridge.core.codec import Codec, Decoder
from bridge.core.model import Action
from bridge.edge.schemas import bundled
from bridge.errors import BridgeError

FEED_STATE = "feedbridge.feed-state"
BOOKS = "finery.book.tradable"
TOPIC_LIMIT_S = 60.0
MESSAGES, WAIT_S = 1000, 0.1


class Watch:
    """Reads the book topic and the feed states from their beginning."""

    def __init__(self, bootstrap: str, subscriptions: Sequence[str]) -> None:
        """Open a consumer of no group; `subscriptions` are those that count."""
        self.lines = Timelines()
        self._wanted = frozenset(subscriptions)
        self._decoder = Decoder(Codec(bundled()))
        self._changed_s = time.monotonic()
        options = {"group.id": "none", "enable.auto.commit": False, "log_level": 0}
        self._consumer = ck.Consumer({"bootstrap.servers": bootstrap, **options})

    def open(self) -> None:
        """Wait until a worker has made both topics, and follow them."""
        known = self._known()
        places = [
            ck.TopicPartition(topic, number, 0)
            for topic in (BOOKS, FEED_STATE)
            for number in known[topic].partitions
        ]
        self._consumer.assign(places)

    def _known(self) -> dict[str, Any]:
        end = time.monotonic() + TOPIC_LIMIT_S
        while time.monotonic() < end:
            known: dict[str, Any] = self._consumer.list_topics(timeout=10).topics
            if {BOOKS, FEED_STATE} <= known.keys():
                return known
            time.sleep(WAIT_S)
        raise BridgeError("no worker made its topics")

    def close(self) -> None:
        """Let the consumer go."""
        self._consumer.close()

    def pump(self) -> None:
        """Read what has come, waiting a moment for it."""
        for message in self._consumer.consume(MESSAGES, WAIT_S):
            value = message.value()
            if message.error() is None and value is not None:
                self._take(message.topic() or "", value)

    def settle(
        self, done: Callable[[Timelines], bool], calm_s: float, limit_s: float
    ) -> None:
        """Read on until `done`, all is live, and no boundary came for `calm_s`.

        Raises:
            BridgeError: that took longer than `limit_s`.
        """
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            self.pump()
            calm = time.monotonic() - self._changed_s > calm_s
            if calm and self._whole() and done(self.lines):
                return
        raise BridgeError(f"not settled within {limit_s:g} s: {self._missing()}")

    def _whole(self) -> bool:
        return self.lines.lives.keys() == self._wanted and self.lines.all_live()

    def _missing(self) -> str:
        live = {
            name
            for name, lives in self.lines.lives.items()
            if lives[-1].live_us and not lives[-1].ended_us
        }
        missing = sorted(self._wanted - live)
        return f"{len(missing)} not live, such as {', '.join(missing[:3])}"

    def _take(self, topic: str, value: bytes) -> None:
        if topic == FEED_STATE:
            state = self._decoder.decode(value)
            self.lines.workers[state["connection"]] = state["worker"]
            return
        header = self._decoder.header(value)
        if header.subscription not in self._wanted:
            return
        if header.action != Action.BOUNDARY:
            self.lines.seen(header.subscription, header.connection)
            return
        record = self._decoder.decode(value)
        self._changed_s = time.monotonic()
        self.lines.boundary(
            header.subscription,
            header.connection,
            record["boundary"]["state"],
            record["receivedAt"],
        )
