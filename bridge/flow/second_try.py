"""What becomes of a record of the order path that Kafka has failed for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.core.model import Headers
from bridge.edge.fates import Left
from bridge.flow.lost import Lost
from bridge.flow.outlet import Out

SECOND = ("attempt", b"2")


class Path(Protocol):
    """The order path that a response belongs to."""

    def not_delivered(self, partition: int, value: bytes, *, again: bool) -> bool:
        """Tell whether a response is written again, if it may be, or not missed."""


class Sender(Out, Protocol):
    """What is needed of the producer."""

    async def flush(self, timeout_s: float) -> Left:
        """Wait for every record's fate; return what is left of them."""


class Failure(Protocol):
    """A record that Kafka has failed for good."""

    @property
    def topic(self) -> str:
        """Return the topic it was meant for."""

    @property
    def partition(self) -> int:
        """Return its partition."""

    @property
    def key(self) -> bytes:
        """Return its key."""

    @property
    def value(self) -> bytes:
        """Return its value."""

    @property
    def headers(self) -> Headers | None:
        """Return its headers."""


def sent_again(failure: Failure, out: Out, now_ms: int) -> bool:
    """Send a failed record once more, with a header that says so; False if it had one.

    Its reader may see it twice: a lost acknowledgement looks like a failure.
    """
    headers = failure.headers or []
    if SECOND in headers:
        return False
    topic, value, key = failure.topic, failure.value, failure.key
    out.send(topic, value, key, failure.partition, now_ms, [*headers, SECOND])
    return True


class Failures:
    """Sees that what failed is written again, and knows what was lost at the end.

    Responses are their path's to write again, or not; all else has a second time.
    """

    def __init__(
        self, paths: Mapping[str, Path], out: Sender, now_ms: Callable[[], int]
    ) -> None:
        """`paths` has the order path of each response topic."""
        self._paths = paths
        self._out = out
        self._now_ms = now_ms
        self._lost = Lost()
        self._over = False

    def take(self, failure: Failure) -> bool:
        """Take what has failed; tell whether it is lost."""
        path = self._paths.get(failure.topic)
        if path is None:
            kept = sent_again(failure, self._out, self._now_ms())
        else:
            kept = path.not_delivered(
                failure.partition, failure.value, again=not self._over
            )
        if not kept:
            self._lost.add(failure.topic, 1, len(failure.key) + len(failure.value))
        return not kept

    def stopping(self) -> None:
        """Count from here on what the stop loses."""
        self._lost.begin()

    async def flush(self, limit_s: float) -> Left:
        """Wait for Kafka a last time; return what it left, and what the stop lost.

        The paths do not move any more, so they write nothing again.
        """
        self._over = True
        return self._lost.beside(await self._out.flush(limit_s))
