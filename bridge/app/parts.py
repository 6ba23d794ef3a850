"""The parts of one worker, built from the settings and shared by its feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from secrets import SystemRandom

from bridge.app.destinations import Destination
from bridge.config import Settings
from bridge.core.backoff import Backoff
from bridge.core.codec import Codec, Decoder
from bridge.core.identity import uuid7
from bridge.core.model import Handshake, Note, Now, Plan, Receiver, Transport
from bridge.core.routing import partition
from bridge.core.topics import topic_of
from bridge.edge.clock import Clock
from bridge.edge.producer import Budget, Producer
from bridge.edge.websocket import TransportOptions, connect
from bridge.flow.connection import Connection, Log, Surroundings
from bridge.flow.lanes import Route, Routes
from bridge.flow.losses import Losses
from bridge.flow.outlet import DeadLetters, FeedStates, Ledger, Outlet, Sinks
from bridge.flow.pressure import Pressure
from bridge.venues import VENUES
from bridge.venues.base import Context, Session, Source

UUID_CHANCE_BITS = 74


class Nonces:
    """One strictly increasing nonce source for all keys and connections of a worker.

    Seeded from the clock in ns, so a restart does not go back. Source: Finery's manual
    asks for increasing nonces in one edition and for unique ones in another.
    """

    def __init__(self, clock: Clock) -> None:
        """Start from the present."""
        self._clock = clock
        self._last = 0

    def __call__(self) -> int:
        """Return the next nonce, below 2**63."""
        self._last = max(self._last + 1, self._clock.now().wall_ns)
        return self._last


class Parts:
    """What the feeds of one worker share; see `flow.feed.Parts`."""

    def __init__(
        self,
        settings: Settings,
        destinations: Mapping[str, Destination],
        codec: Codec,
        clock: Clock,
        log: Log,
    ) -> None:
        """Build everything that needs no waiting; nothing is opened yet.

        Args:
            settings: valid settings.
            destinations: by topic, with partition counts and wire headers.
            codec: the bundled schemas.
            clock: the time.
            log: writes one line a change of state.
        """
        self.settings = settings
        self.clock = clock
        self.log = log
        self.ledger = Ledger()
        self.connections: set[Connection] = set()
        self.order_connections: set[Connection] = set()
        self.orders_blocked: Callable[[], bool] = lambda: False
        self._chance = SystemRandom()
        self._nonce = Nonces(clock)
        self._sources = {(s.venue, s.name): s for s in settings.sources()}
        self._routes = routes(settings, destinations, codec)
        self.losses = Losses(
            self.connections,
            _owner(Decoder(codec)),
            lambda: self._sinks.states,
            settings.topics.dead_letter,
            log,
        )
        self.producer = Producer(
            settings.kafka.properties(),
            Budget(
                max_bytes=settings.kafka.queue_megabytes << 20,
                max_messages=settings.kafka.queue_messages,
            ),
            self.losses.failed,
            self._note,
        )
        self._sinks = self._make_sinks(destinations[settings.topics.feed_state], codec)
        self.pressure = Pressure(
            self.producer, self.connections, settings.kafka.pause_limit_s, log
        )
        self._around = Surroundings(
            self.producer,
            self.ledger,
            log,
            self.pressure.full,
            clock.now,
        )

    def session(self, plan: Plan, resume: Mapping[str, int]) -> Session:
        """Make the session of one attempt, its secrets read afresh."""
        source = self._sources[plan.venue, plan.source]
        return VENUES[plan.venue].open(plan, self.context(source, resume))

    def context(self, source: Source, resume: Mapping[str, int]) -> Context:
        """Return what a session of `source` is given."""
        return Context(
            credentials=self.settings.credentials(source),
            chance=self._chance.random,
            nonce=self._nonce,
            refresh_s=self.settings.books.refresh_seconds,
            options={**source.options, "url": source.url, "resume": dict(resume)},
        )

    def connection(self, plan: Plan, session: Session) -> Connection:
        """Make the connection of one attempt, with an id and lanes of its own."""
        now_ms = self.clock.now().wall_ns // 1_000_000
        name = uuid7(now_ms, self._chance.getrandbits(UUID_CHANCE_BITS))
        outlet = Outlet(plan, name, self._routes, self._sinks)
        return Connection(session, outlet, self._around)

    async def may_connect(self) -> None:
        """Wait while Kafka cannot take records."""
        await self.pressure.flowing()

    def joined(self, connection: Connection, now: Now) -> None:
        """Pause or cut the connection like the others, if they are."""
        self.connections.add(connection)
        self.pressure.joined(connection, now)

    def left(self, connection: Connection) -> str:
        """Let the pressure forget the connection."""
        self.connections.discard(connection)
        return ""

    def backoff(self) -> Backoff:
        """Make the reconnect delays of one feed."""
        return Backoff(self._chance.random)

    async def connect(self, handshake: Handshake, receiver: Receiver) -> Transport:
        """Open a transport; raises VenueUnreachable or UpgradeRefused."""
        options = transport_options(self.settings)
        # Behind the first offered sub-protocol stands a login: it must not be echoed.
        accepted = handshake.subprotocols[:1]
        return await connect(
            handshake, receiver, replace(options, accepted_subprotocols=accepted)
        )

    def _note(self, note: Note) -> None:
        self.log(note.event, **note.facts)

    def _make_sinks(self, state: Destination, codec: Codec) -> Sinks:
        topics = self.settings.topics
        part_bytes = self.settings.dead_letter.part_kilobytes * 1000
        return Sinks(
            self.producer,
            DeadLetters(self.producer, topics.dead_letter, part_bytes),
            FeedStates(
                self.producer,
                topics.feed_state,
                lambda key: partition(key, state.partitions),
                codec.whole("feedbridge.FeedState", state.header),
                self.settings.worker.name,
            ),
            self.ledger,
        )


def routes(
    settings: Settings, destinations: Mapping[str, Destination], codec: Codec
) -> Routes:
    """Return the route of every subscription that the settings ask for."""
    found = {}
    for plan in settings.connections():
        for subscription in plan.subscriptions:
            topic = topic_of(settings.topics.template, plan.venue, subscription)
            to = destinations[topic]
            encoder = codec.encoder(to.schema, to.header)
            found[subscription.source, subscription.name] = Route(
                to.topic, to.partitions, encoder
            )
    return found


def transport_options(settings: Settings) -> TransportOptions:
    """Return how connections to venues are made."""
    wanted = settings.transport
    return TransportOptions(
        kind=wanted.kind,
        open_timeout_s=wanted.connect_timeout_s,
        ping_interval_s=wanted.ping_interval_s,
        ping_timeout_s=wanted.ping_timeout_s,
        max_message_bytes=wanted.frame_megabytes << 20,
        tls_ca_file=str(wanted.ca_file) if wanted.ca_file else None,
    )


def _owner(decoder: Decoder) -> Callable[[bytes], tuple[str, str]]:
    def read(value: bytes) -> tuple[str, str]:
        header = decoder.header(value)
        return header.source, header.subscription

    return read
