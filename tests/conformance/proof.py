"""Writes a session's events as a worker does, and verifies them as `verify` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridge.config.plans import schema_of
from bridge.core.codec import Codec, Decoder
from bridge.core.model import Data, Event, Mark, Plan, Subscription
from bridge.core.verify import Result, Verifier
from bridge.edge.consumer import Message
from bridge.edge.schemas import bundled
from bridge.flow.lanes import Route
from bridge.flow.outlet import DeadLetters, FeedStates, Ledger, Outlet, Sinks
from bridge.verbs.records import seen_of

AT_NS = 1_700_000_000_000_000_000
STATES, DEAD = "states", "dead"


def proof(plan: Plan, events: Iterable[Event]) -> list[Result]:
    """Return what `verify` finds in the records of one connection's events."""
    out = _Out()
    sinks = Sinks(
        out,
        DeadLetters(out, DEAD, 1000),
        FeedStates(out, STATES, lambda _: 0, lambda _: b"", "w"),
        Ledger(),
    )
    outlet = Outlet(plan, "0001", out.route, sinks)
    for event in events:
        if isinstance(event, Mark):
            outlet.mark(event, AT_NS)
        elif isinstance(event, Data):
            outlet.data(event, AT_NS)
    return out.verifier.results()


class _Out:
    """Gives the records of feeds to a verifier, through their bytes."""

    def __init__(self) -> None:
        self.verifier = Verifier()
        self._codec = Codec(bundled())
        self._decoder = Decoder(self._codec)
        self._offset = 0

    def route(self, subscription: Subscription) -> Route:
        """Return a topic of one partition."""
        schema = schema_of(subscription.stream)
        header = self._codec.single_object_header(schema)
        return Route(subscription.stream, 1, self._codec.encoder(schema, header))

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int,
        timestamp_ms: int,
        headers: Sequence[tuple[str, str | bytes | None]] | None = None,
    ) -> None:
        """Take one record."""
        if topic in {STATES, DEAD}:
            return
        place = (topic, partition, self._offset)
        message = Message(*place, key, value, timestamp_ms, headers or [])
        self._offset += 1
        if seen := seen_of(message, self._decoder):
            self.verifier.take(seen)

    send_watched = send
