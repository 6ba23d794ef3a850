"""What all designs are given: where frames come from, where records go, and how."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from bridge.bench.watch import Watch
from bridge.edge.kafka_options import Budget, producer_options

RAW = "bench.raw"
BOOKS = "finery.book.tradable"
POSITIONS = "finery.positions"
DEAD_LETTER = "feedbridge.dead-letter"
FEED_STATE = "feedbridge.feed-state"
STATUS = "finery.status"
TOPICS = (RAW, BOOKS, POSITIONS, STATUS, DEAD_LETTER, FEED_STATE)
PARTITIONS = 6
INSTRUMENT = "BTC-USD"
SOURCE = "bench"
BINDS = (
    '{"event":"bind","feed":"F","feedId":"BTC-USD"}',
    '{"event":"bind","feed":"K"}',
)


class Target(NamedTuple):
    """Where a design reads and writes; `watch` is there in runs that time messages."""

    url: str
    bootstrap: str
    watch: Watch | None = None

    def producer(self) -> dict[str, Any]:
        """Return librdkafka's properties: the same for every design, and ours."""
        return producer_options({"bootstrap.servers": self.bootstrap}, Budget())


class Design(Protocol):
    """One way from a WebSocket to Kafka.

    `received` counts the frames taken, `delivered` the records that Kafka has
    acknowledged, `failed` those it never will.
    """

    @property
    def received(self) -> int:
        """Return how many frames came."""

    @property
    def delivered(self) -> int:
        """Return how many records are in Kafka."""

    @property
    def failed(self) -> int:
        """Return how many records were given up."""

    async def open(self) -> None:
        """Connect and bind; returns when the first snapshots are delivered."""

    async def ask(self, text: str) -> None:
        """Send a text frame to the generator."""

    def pulse(self) -> None:
        """Do what is due by time; called every 20 ms."""

    def settle(self) -> None:
        """Do what a worker does once, when it has started."""

    async def close(self) -> None:
        """Let go of the connection."""
