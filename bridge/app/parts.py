"""The parts of one worker, built from the settings and shared by its feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from secrets import SystemRandom

from bridge.app.destinations import Destination, schemas_by_id
from bridge.app.logins import Logins
from bridge.config import Settings
from bridge.config.plans import schema_of
from bridge.core.backoff import Backoff
from bridge.core.codec import Codec, Decoder
from bridge.core.identity import uuid7
from bridge.core.model import (
    Handshake,
    Note,
    Now,
    Plan,
    Receiver,
    Subscription,
    Transport,
)
from bridge.core.routing import partition
from bridge.core.tallies import Tallies
from bridge.core.topics import topic_of
from bridge.edge.clock import Clock
from bridge.edge.fates import Place
from bridge.edge.producer import Budget, Producer
from bridge.edge.transport import Peer
from bridge.edge.websocket import TransportOptions, connect
from bridge.flow.connection import Connection, Log
from bridge.flow.lanes import Route
from bridge.flow.lease import FOREVER_NS, Lease
from bridge.flow.losses import Losses
from bridge.flow.outlet import DeadLetters, FeedStates, Ledger, Outlet, Sinks
from bridge.flow.pressure import Pressure
from bridge.flow.surroundings import Surroundings
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


class Routing:
    """Where the records of a subscription go; destinations may be added later."""

    def __init__(
        self, template: str, destinations: Mapping[str, Destination], codec: Codec
    ) -> None:
        """Route by the topic that `template` gives a subscription."""
        self._template = template
        self._destinations = dict(destinations)
        self.schemas = schemas_by_id(codec, destinations)  # those that are written with
        self._codec = codec

    def add(self, destinations: Mapping[str, Destination]) -> None:
        """Know more topics from now on."""
        self._destinations |= destinations
        self.schemas |= schemas_by_id(self._codec, destinations)

    def partitions(self, topic: str) -> int:
        """Return how many partitions a known topic has."""
        return self._destinations[topic].partitions

    def route(self, subscription: Subscription) -> Route:
        """Return topic, partition count and encoder."""
        to = self._destinations[self.topic(subscription)]
        encoder = self._codec.encoder(to.schema, to.header)
        return Route(to.topic, to.partitions, encoder)

    def topic(self, subscription: Subscription) -> str:
        """Return the topic of a subscription; it may not be known yet."""
        venue, _, _ = subscription.stream.partition(".")
        return topic_of(self._template, venue, subscription)

    def missing(self, plans: Iterable[Plan]) -> dict[str, str]:
        """Return the schema of every topic that these plans need and is not known."""
        wanted = {self.topic(s): s.stream for p in plans for s in p.subscriptions}
        known = self._destinations
        return {t: schema_of(stream) for t, stream in wanted.items() if t not in known}


class Parts:
    """What the feeds of one worker share; see `flow.feed.Parts`."""

    def __init__(
        self,
        settings: Settings,
        destinations: Mapping[str, Destination],
        codec: Codec,
        clock: Clock,
        log: Log,
        tallies: Tallies | None = None,
    ) -> None:
        """Build everything that needs no waiting; nothing is opened yet.

        Args:
            settings: valid settings.
            destinations: by topic, with partition counts and wire headers.
            codec: the bundled schemas.
            clock: the time.
            log: writes one line a change of state.
            tallies: counts what happens by name.
        """
        self.settings = settings
        self.clock = clock
        self.log = log
        self.ledger = Ledger(tallies)
        self.peers: dict[str, Peer] = {}
        self.connections: set[Connection] = set()
        self.order_connections: set[Connection] = set()
        self.welcomed: set[str] = set()
        self.orders_blocked: Callable[[], bool] = lambda: False
        self.logins = Logins(settings)
        self._chance = SystemRandom()
        self.chance = self._chance.random
        self._nonce = Nonces(clock)
        self._last_ms = 0
        self._sources = {(s.venue, s.name): s for s in settings.sources()}
        self.lease = Lease(lease_ns(settings), clock.now)
        self.routing = Routing(settings.topics.template, destinations, codec)
        self.losses = Losses(
            self.connections,
            _owner(Decoder(codec, self.routing.schemas.__getitem__)),
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
            self.lease,
        )

    def session(self, plan: Plan, resume: Mapping[str, int]) -> Session:
        """Make the session of one attempt, its secrets read afresh."""
        source = self._sources[plan.venue, plan.source]
        return VENUES[plan.venue].open(plan, self.context(source, resume))

    def context(self, source: Source, resume: Mapping[str, int]) -> Context:
        """Return what a session of `source` is given."""
        return Context(
            credentials=self.logins.usable(source),
            chance=self.chance,
            nonce=self._nonce,
            refresh_s=self.settings.books.refresh_seconds,
            options={**source.options, "url": source.url, "resume": dict(resume)},
        )

    def connection(
        self, plan: Plan, session: Session, lease: Lease | None = None
    ) -> Connection:
        """Make the connection of one attempt, with an id and lanes of its own.

        It has the lease of the shares, if not another one.
        """
        now_ms = self.clock.now().wall_ns // 1_000_000
        self._last_ms = max(self._last_ms + 1, now_ms)  # a clock may be set back
        name = uuid7(self._last_ms, self._chance.getrandbits(UUID_CHANCE_BITS))
        outlet = Outlet(plan, name, self.routing.route, self._sinks)
        around = self._around._replace(lease=lease or self.lease)
        return Connection(session, outlet, around)

    def places(self, plans: Iterable[Plan]) -> set[Place]:
        """Return where the records and the states of these plans lie."""
        known = [one for plan in plans for one in plan.subscriptions]
        records = {self.routing.route(one).place(one) for one in known}
        return records | {self._sinks.states.place(one) for one in known}

    async def may_connect(self) -> None:
        """Wait while Kafka cannot take records."""
        await self.pressure.flowing()

    def joined(self, connection: Connection, now: Now) -> None:
        """Pause or cut the connection like the others, if they are."""
        self.welcomed.add(connection.plan.source)
        self.connections.add(connection)
        self.pressure.joined(connection, now)

    def welcome(self, source: str) -> bool:
        """Tell whether the venue has ever let this account in."""
        return source in self.welcomed

    def may_take_over(self, old: Connection, new: Connection) -> str:  # noqa: ARG002 - flow.feed_parts.Parts
        """Return why the socket of `old` may hold what was not read yet."""
        return self.pressure.unread(self.clock.now())

    def left(self, connection: Connection) -> str:
        """Let the pressure forget the connection."""
        self.connections.discard(connection)
        return ""

    def backoff(self) -> Backoff:
        """Make the reconnect delays of one feed."""
        return Backoff(self.chance)

    async def connect(self, handshake: Handshake, receiver: Receiver) -> Transport:
        """Open a transport; raises VenueUnreachable or UpgradeRefused."""
        options = self.transport_options()
        # Behind the first offered sub-protocol stands a login: it must not be echoed.
        accepted = handshake.subprotocols[:1]
        return await connect(
            handshake, receiver, replace(options, accepted_subprotocols=accepted)
        )

    def transport_options(self) -> TransportOptions:
        """Return how to connect; what a venue shows of itself is kept by its host."""
        return replace(transport_options(self.settings), on_peer=self._met)

    def _met(self, peer: Peer) -> None:
        self.peers[peer.host] = peer

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
                shared=self.settings.ownership.mode == "group",
            ),
            self.ledger,
        )


def lease_ns(settings: Settings) -> int:
    """Return how long a worker may stand still; without a group, for ever."""
    if settings.ownership.mode != "group":
        return FOREVER_NS
    return int(settings.ownership.lease_s * 1e9)


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


def _owner(decoder: Decoder) -> Callable[[bytes], tuple[str, str, str]]:
    def read(value: bytes) -> tuple[str, str, str]:
        header = decoder.header(value)
        return header.source, header.subscription, header.connection

    return read
