"""What a journal knows of a partition that it follows, and what it calls."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import confluent_kafka as ck

from bridge.core.model import Note
from bridge.edge.consumer import Message, Partition
from bridge.errors import KafkaError


class Reader(Protocol):
    """What a journal calls, always on the event loop, in the order of the log."""

    def on_entries(self, entries: list[Message]) -> None:
        """Take records of one partition, in order."""

    def on_caught_up(self, topic: str, partition: int) -> None:
        """Note that all is read that was there when `follow` was called."""

    def on_broken(self, topic: str, partition: int, detail: str) -> None:
        """Note that records were missed (retention, truncation): nothing follows.

        Whoever still wants the partition calls `follow` and begins anew.
        """

    def on_note(self, note: Note) -> None:
        """Log a change of state."""

    def on_failed(self, error: KafkaError) -> None:
        """Note that the journal has ended by itself; it cannot be used again."""


class Followed:
    """One call of `follow`; another call for the same partition is another one."""

    def __init__(self, place: Partition, from_ms: int | None) -> None:
        self.place = place
        self.from_ms = from_ms
        self.next = 0
        self.end = 0
        self.caught_up = False
        self.entries: list[Message] = []

    def at(self) -> ck.TopicPartition:
        """Return the position of the next record, in librdkafka's terms."""
        return ck.TopicPartition(*self.place, self.next)


class Span(NamedTuple):
    """Where to start, and where the partition ends now."""

    start: int
    end: int
