"""What a stop loses: nobody is left to write it again, or to announce it."""

from __future__ import annotations

from collections import Counter

from bridge.edge.fates import Left


class Lost:
    """Counts the records that Kafka has failed for good since a stop began."""

    def __init__(self) -> None:
        """Count from now on."""
        self._by_topic: Counter[str] = Counter()
        self._bytes = 0

    def begin(self) -> None:
        """Forget what was lost so far: the log has told it, and the worker went on."""
        self._by_topic.clear()
        self._bytes = 0

    def add(self, topic: str, count: int, size: int) -> None:
        """Count records of a topic, `size` bytes together."""
        self._by_topic[topic] += count
        self._bytes += size

    def beside(self, left: Left) -> Left:
        """Return what a last flush left, and what was lost before and during it."""
        by_topic = Counter(left.by_topic) + self._by_topic
        messages = left.messages + self._by_topic.total()
        return Left(messages, left.bytes + self._bytes, dict(by_topic))
