"""The real path: transport, connection, session with its book, lanes, producer.

Everything is built as a worker builds it, from settings; only the plans are merged, so
that one connection carries all bindings, and topics are there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from bridge.app.destinations import Destination, schemas_by_topic
from bridge.app.parts import Parts
from bridge.app.pulse import BEATS_A_TICK, freeze
from bridge.bench.target import INSTRUMENT, PARTITIONS, SOURCE, Target
from bridge.bench.watch import Timed
from bridge.config import Settings
from bridge.config.kafka import Kafka
from bridge.config.sections import Books
from bridge.config.sections import Transport as TransportSettings
from bridge.config.venues import FinerySource
from bridge.core.codec import Codec, confluent_header
from bridge.core.model import Binding, Plan, Receiver, Subscription, Transport
from bridge.edge.clock import SystemClock
from bridge.edge.schemas import bundled
from bridge.flow.connection import Connection

Kind = Literal["auto", "websockets", "picows"]
NO_REFRESH_S = 3600  # else a run's counts would include refreshes


class Path:
    """One connection of a worker, fed by the generator."""

    def __init__(self, target: Target, kind: Kind = "auto") -> None:
        """Build the parts of a worker."""
        settings = _settings(target, kind)
        codec = Codec(bundled())
        destinations = {
            topic: Destination(topic, schema, PARTITIONS, confluent_header(1))
            for topic, schema in schemas_by_topic(settings).items()
        }
        self._clock = SystemClock()
        self._parts = Parts(settings, destinations, codec, self._clock, _silent)
        self._plan = merged(settings.plans())
        self._watch = target.watch
        self._beat = 0
        self._connection: Connection | None = None
        self._transport: Transport | None = None

    @property
    def received(self) -> int:
        """Return how many frames came."""
        return self._parts.ledger.frames

    @property
    def delivered(self) -> int:
        """Return how many records are in Kafka."""
        return self._parts.producer.acked

    @property
    def failed(self) -> int:
        """Return how many records were given up, or became dead letters."""
        return self._parts.producer.failed + self._parts.ledger.dead_letters

    async def open(self) -> None:
        """Connect as a feed does; the session binds by itself."""
        parts, now = self._parts, self._clock.now()
        session = parts.session(self._plan, {})
        connection = self._connection = parts.connection(self._plan, session)
        receiver: Receiver = connection
        if self._watch is not None:
            receiver = Timed(connection, self._watch, lambda: self.delivered)
        transport = await parts.connect(session.handshake(now), receiver)
        self._transport = transport
        parts.connections.add(connection)
        connection.attach(transport, self._clock.now())

    async def ask(self, text: str) -> None:
        """Send a text frame."""
        if self._transport is not None:
            self._transport.send(text)

    def pulse(self) -> None:
        """Do what a worker's pulse does."""
        parts, now = self._parts, self._clock.now()
        parts.producer.poll()
        parts.losses.drain(now)
        parts.pressure.step(now)
        if self._beat % BEATS_A_TICK == 0:
            for connection in list(parts.connections):
                connection.tick(now)
        self._beat += 1
        if self._watch is not None:
            self._watch.acked(self.delivered)

    def settle(self) -> None:
        """Take start-up's objects out of the collector's sight, as a worker does."""
        freeze()

    async def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            await self._transport.close()


def merged(plans: Sequence[Plan]) -> Plan:
    """Return one plan that carries everything that `plans` carry."""
    subscriptions: list[Subscription] = []
    bindings: list[Binding] = []
    for plan in plans:
        first = len(subscriptions)
        subscriptions += plan.subscriptions
        bindings += [
            replace(b, channels=tuple(first + c for c in b.channels))
            for b in plan.bindings
        ]
    return replace(
        plans[0], subscriptions=tuple(subscriptions), bindings=tuple(bindings)
    )


def _settings(target: Target, kind: Kind) -> Settings:
    account = {
        "url": target.url,
        "key": "bench",
        "secret": "bench",
        "subscriptions": [f"book.tradable:{INSTRUMENT}", "positions"],
    }
    return Settings(
        kafka=Kafka.model_validate({"bootstrap_servers": target.bootstrap}),
        finery={SOURCE: FinerySource.model_validate(account)},
        books=Books(refresh_seconds=NO_REFRESH_S),
        transport=TransportSettings.model_validate({"kind": kind}),
    )


def _silent(_event: str, **_facts: object) -> None:
    """Log nothing: the runs are told by their results."""
