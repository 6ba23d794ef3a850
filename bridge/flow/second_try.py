"""The second time for a record of the order path that Kafka has failed for good."""

from __future__ import annotations

from typing import Protocol

from bridge.core.model import Headers
from bridge.flow.outlet import Out

SECOND = ("attempt", b"2")


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
