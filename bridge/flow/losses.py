"""Records that Kafka never took: each one becomes an announced gap.

Delivery reports name no subscription, so the header of the lost value is read. Losses
are gathered by subscription and reported from the worker's pulse, never from within
librdkafka's callback.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from bridge.core.model import Now
from bridge.flow.connection import Connection, Log
from bridge.flow.outlet import FeedStates


class Failure(Protocol):
    """A record that was not delivered."""

    @property
    def topic(self) -> str:
        """Return the topic it was meant for."""

    @property
    def key(self) -> bytes:
        """Return its key."""

    @property
    def value(self) -> bytes:
        """Return its value."""

    @property
    def code(self) -> str:
        """Return Kafka's name for the cause."""


class Losses:
    """Gathers failed deliveries and hands them to the connections concerned."""

    def __init__(
        self,
        connections: set[Connection],
        owner: Callable[[bytes], tuple[str, str]],
        states: Callable[[], FeedStates],
        dead_letter_topic: str,
        log: Log,
    ) -> None:
        """`owner` reads source and subscription from a record's value."""
        self.total = 0
        self._connections = connections
        self._owner = owner
        self._states = states
        self._dead_letter_topic = dead_letter_topic
        self._log = log
        self._waiting: Counter[tuple[str, str, str]] = Counter()

    def failed(self, failure: Failure) -> None:
        """Note one undelivered record; safe inside a delivery report."""
        self.total += 1
        if failure.topic == self._states().topic:
            self._states().failed(failure.key, failure.value)
            return
        source, name = self._origin(failure)
        self._waiting[source, name, failure.code] += 1

    def drain(self, now: Now) -> None:
        """Announce what was gathered; keep what has no connection at the moment."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, Counter()
        for (source, name, code), count in waiting.items():
            if not self._announce(source, name, code, count, now):
                self._waiting[source, name, code] += count

    def _origin(self, failure: Failure) -> tuple[str, str]:
        if failure.topic == self._dead_letter_topic:
            source, _, name = failure.key.decode().partition("/")
            return source, name
        return self._owner(failure.value)

    def _announce(
        self, source: str, name: str, code: str, count: int, now: Now
    ) -> bool:
        for connection in self._of(source):
            if connection.lost(name, count, code, now):
                facts = {"subscription": name, "count": count, "code": code}
                self._log("lost", source=source, **facts)
                return True
        return False

    def _of(self, source: str) -> Iterable[Connection]:
        return [c for c in self._connections if c.plan.source == source and c.alive]
