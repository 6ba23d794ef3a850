"""Where the records of each subscription go, and with which encoder."""

from __future__ import annotations

from typing import NamedTuple

from bridge.core.model import BoundaryFields, Encoder, Mark, Subscription
from bridge.core.routing import partition


class Route(NamedTuple):
    """One topic: its name, its partition count and its encoder."""

    topic: str
    partitions: int
    encoder: Encoder

    def place(self, subscription: Subscription) -> tuple[str, int]:
        """Return the topic and the partition where a subscription's records lie."""
        key = subscription.partition_key.encode()
        return self.topic, partition(key, self.partitions)


class Lane:
    """One subscription on one connection: the next sequence and all that is constant.

    `data` and `mark` give a record's bytes and count it; a lane lives as long as its
    connection, so a new connection starts at sequence 0 by construction.
    """

    __slots__ = (
        "_empty",
        "_encode",
        "_prefix",
        "key",
        "partition",
        "sequence",
        "state",
        "subscription",
        "topic",
    )

    def __init__(
        self, subscription: Subscription, connection: str, route: Route
    ) -> None:
        """Bind `subscription` to its route for the life of `connection`."""
        self.subscription = subscription
        self.topic, self.partition = route.place(subscription)
        self.key = subscription.key.encode()
        self.sequence = 0
        self.state: Mark | None = None
        self._encode = route.encoder.encode
        self._empty = route.encoder.empty
        self._prefix = route.encoder.prefix(
            (
                subscription.source,
                subscription.name,
                connection,
                *subscription.constants,
            )
        )

    def data(self, received_us: int, action: int, values: tuple[object, ...]) -> bytes:
        """Encode the next record of the sequence."""
        value = self._encode(
            self._prefix, self.sequence, received_us, action, None, values
        )
        self.sequence += 1
        return value

    def mark(self, written_us: int, action: int, mark: Mark) -> bytes:
        """Encode the next record of the sequence, a boundary."""
        # A venue's text may hold what UTF-8 cannot: a boundary must not fail for that.
        detail = mark.detail.encode(errors="replace").decode()
        boundary = BoundaryFields(mark.state, mark.reason, detail, mark.lost)
        value = self._encode(
            self._prefix, self.sequence, written_us, action, boundary, self._empty
        )
        self.sequence += 1
        self.state = mark
        return value
