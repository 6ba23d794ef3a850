"""Scripted stand-ins for the parts around the flow; no network, no time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bridge.core.backoff import Backoff
from bridge.core.model import (
    Closed,
    Event,
    Events,
    Handshake,
    Mark,
    Now,
    Plan,
    Reason,
    Receiver,
    State,
    Subscription,
    Tally,
)
from bridge.errors import VenueError, VenueRefused
from bridge.flow.connection import Connection
from bridge.flow.lanes import Route
from bridge.flow.lease import FOREVER_NS, Lease
from bridge.flow.outlet import DeadLetters, FeedStates, Ledger, Outlet, Sinks
from bridge.flow.pressure import Pressure
from bridge.flow.surroundings import Surroundings

BOOK = Subscription(
    source="desk",
    name="book.tradable:BTC-USD",
    stream="finery.book.tradable",
    key="BTC-USD",
    partition_key="BTC-USD",
    feed_id="BTC-USD",
    constants=("BTC-USD",),
)
STATUS = Subscription(
    source="desk",
    name="status:books-1",
    stream="finery.status",
    key="desk",
    partition_key="status:books-1",
)
PLAN = Plan(
    source="desk",
    venue="finery",
    name="books-1",
    subscriptions=(STATUS, BOOK),
    bindings=(),
)


def as_text(*record: Any) -> bytes:
    """Show what would be encoded: sequence, time, action, and boundary or values."""
    prefix, sequence, received_us, action, boundary, values = record
    what = f"{State(boundary.state).name}/{boundary.reason}" if boundary else values
    text: bytes = prefix + f" {sequence} {received_us} {action} {what}".encode()
    return text


class TextEncoder:
    """Writes readable text instead of Avro."""

    def __init__(self) -> None:
        """Offer `encode` as a plain function, as compiled encoders do."""
        self.empty: tuple[Any, ...] = ((),)
        self.encode = as_text

    def prefix(self, constants: Sequence[str]) -> bytes:
        """Join the constants."""
        return "|".join(constants).encode()


class FakeKafka:
    """A producer that keeps what it is given and whose marks a test sets."""

    def __init__(self) -> None:
        """Start empty and flowing."""
        self.sent: list[tuple[Any, ...]] = []
        self.above_high = False
        self.below_low = True
        self.polls = 0

    def send(self, *record: Any) -> None:
        """Keep the record."""
        self.sent.append(record)

    send_watched = send

    def poll(self) -> None:
        """Count the call."""
        self.polls += 1

    def texts(self, topic: str) -> list[str]:
        """Return the values sent to `topic`, without their prefix."""
        values = [r[1].decode() for r in self.sent if r[0] == topic]
        return [v.split(" ", 1)[1] for v in values]


class FakeTransport:
    """A transport whose end a test decides."""

    def __init__(self) -> None:
        """Start open."""
        self.sent: list[str] = []
        self.calls: list[str] = []
        self.ended: asyncio.Future[Closed] | None = None
        self._closed: Closed | None = None

    def send(self, text: str) -> None:
        """Keep the text."""
        self.sent.append(text)

    def pause(self) -> None:
        """Note the call."""
        self.calls.append("pause")

    def resume(self) -> None:
        """Note the call."""
        self.calls.append("resume")

    async def close(self) -> None:
        """Note the call and end the connection."""
        self.calls.append("close")
        self.end(Closed(1000, "closed"))

    def abort(self) -> None:
        """Note the call and end the connection, unless it has ended."""
        if self._closed is None:
            self.calls.append("abort")
            self.end(Closed(1006, "aborted"))

    def end(self, closed: Closed) -> None:
        """End the connection as the network would."""
        self._closed = self._closed or closed
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(closed)

    async def wait_closed(self) -> Closed:
        """Wait for the end."""
        if self.ended is None:
            self.ended = asyncio.get_running_loop().create_future()
            if self._closed is not None:
                self.ended.set_result(self._closed)
        return await asyncio.shield(self.ended)


class ScriptedSession:
    """A session that answers from lists and notes every call."""

    def __init__(self, **answers: Any) -> None:
        """`answers` maps a method to the events that it returns each time."""
        self.tally = Tally()
        self.calls: list[str] = []
        self.ticks_ns: list[int] = []
        self.reasons: list[Reason] = []
        self.answers: dict[str, Sequence[Event]] = answers
        self.refusal: VenueError = VenueRefused("desk", "3 not authorised", 3)

    def _answer(self, name: str) -> Events:
        self.calls.append(name)
        return self.answers.get(name, ())

    def handshake(self, now: Now) -> Handshake:
        """Return a fixed address."""
        self.calls.append("handshake")
        return Handshake("ws://127.0.0.1:1/ws")

    def refused(self, status: int, body: bytes) -> VenueError:
        """Return the scripted refusal."""
        return self.refusal

    def opened(self, now: Now) -> Events:
        """Answer from the script."""
        return self._answer("opened")

    def receive(self, data: bytes, received_ns: int) -> Events:
        """Answer from the script and count the frame as data."""
        self.tally.data += 1
        return self._answer("receive")

    def tick(self, now: Now) -> Events:
        """Answer from the script."""
        self.ticks_ns.append(now.mono_ns)
        return self._answer("tick")

    def lost(self, channel: int, count: int, now: Now, detail: str) -> Events:
        """Announce the gap on that channel."""
        self.calls.append(f"lost {channel} {count} {detail}")
        return [Mark(channel, State.GAP, Reason.DELIVERY_FAILED, detail, count)]

    def cut(self, now: Now) -> Events:
        """Answer from the script."""
        return self._answer("cut")

    def heal(self, now: Now) -> Events:
        """Answer from the script."""
        return self._answer("heal")

    def drop(self, names: Collection[str], reason: Reason) -> Events:
        """Note names and reason."""
        return self._answer(f"drop {sorted(names)} {reason}")

    def stop(self, reason: Reason) -> Events:
        """Answer from the script, and keep the reason."""
        self.reasons.append(reason)
        return self._answer("stop")

    def closed(self, detail: str) -> Events:
        """Answer from the script."""
        return self._answer("closed")

    def positions(self) -> Mapping[str, int]:
        """Return one position, so that handing over can be seen."""
        return {"value:BRTI": 7}

    def describe(self, now: Now) -> Sequence[Mapping[str, Any]]:
        """Return one line."""
        return [{"name": "x"}]


class FakeClock:
    """Time that moves only when slept upon."""

    def __init__(self) -> None:
        """Start at one second."""
        self.mono_ns = 1_000_000_000
        self.slept: list[float] = []

    def now(self) -> Now:
        """Return the present."""
        return Now(1_700_000_000_000_000_000 + self.mono_ns, self.mono_ns)

    def step(self, seconds: float) -> None:
        """Move the time."""
        self.mono_ns += int(seconds * 1e9)

    async def sleep(self, seconds: float) -> None:
        """Move the time and let others run."""
        self.slept.append(round(seconds, 6))
        self.step(seconds)
        await asyncio.sleep(0)


Planned = FakeTransport | Exception | asyncio.Future[FakeTransport]


class World:
    """All parts of a feed, scripted; what `Parts` asks for."""

    def __init__(self, session: ScriptedSession) -> None:
        """Use `session` for every attempt."""
        self.welcomed = False
        self.kafka = FakeKafka()
        self.clock = FakeClock()
        self.ledger = Ledger()
        self.lease = Lease(FOREVER_NS, self.clock.now)
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.connections: set[Connection] = set()
        self.pressure = Pressure(self.kafka, self.connections, 10.0, self.log)
        self.script = session
        self.later: list[ScriptedSession] = []
        self.opened = 0
        self.busy = ""
        self.resumed: list[Mapping[str, int]] = []
        self.plans: list[Plan] = []
        self.transports: list[Planned] = []
        self.receivers: list[Receiver] = []

    def log(self, event: str, /, **facts: Any) -> None:
        """Keep the line."""
        self.logged.append((event, facts))

    def session(self, plan: Plan, resume: Mapping[str, int]) -> ScriptedSession:
        """Return the script, or the next of the later ones after the first attempt."""
        self.plans.append(plan)
        self.resumed.append(resume)
        if len(self.plans) > 1 and self.later:
            return self.later.pop(0)
        return self.script

    def connection(self, plan: Plan, session: Any) -> Connection:
        """Make a connection over the fakes."""
        self.opened += 1
        outlet = Outlet(
            plan,
            f"conn-{self.opened}",
            lambda s: Route(s.stream, 4, TextEncoder()),
            Sinks(
                self.kafka,
                DeadLetters(self.kafka, "dead", 10),
                self.states,
                self.ledger,
            ),
        )
        around = Surroundings(
            self.kafka,
            self.ledger,
            self.log,
            self.pressure.full,
            self.clock.now,
            self.lease,
        )
        return Connection(session, outlet, around)

    @property
    def states(self) -> FeedStates:
        """Return a feed-state writer that shows its values as text."""
        return FeedStates(
            self.kafka, "states", lambda _: 0, lambda v: repr(v).encode(), "w1"
        )

    async def may_connect(self) -> None:
        """Wait while Kafka cannot take records."""
        await self.pressure.flowing()

    def joined(self, connection: Connection, now: Now) -> None:
        """Take the connection in."""
        self.welcomed = True
        self.connections.add(connection)
        self.pressure.joined(connection, now)

    def welcome(self, source: str) -> bool:
        """Tell whether a connection was ever open."""
        return self.welcomed

    def may_take_over(self, old: Connection, new: Connection) -> str:
        """Return what a test has set, or what the pressure says."""
        return self.busy or self.pressure.unread(self.clock.now())

    def left(self, connection: Connection) -> str:
        """Let the connection go."""
        self.connections.discard(connection)
        return ""

    def backoff(self) -> Backoff:
        """Return delays without chance."""
        return Backoff(lambda: 0.5)

    async def connect(self, handshake: Handshake, receiver: Receiver) -> FakeTransport:
        """Hand out the next scripted transport or raise the next scripted error.

        A future stands for an attempt under way.
        """
        self.receivers.append(receiver)
        planned = self.transports.pop(0)
        if isinstance(planned, asyncio.Future):
            return await planned
        if isinstance(planned, Exception):
            raise planned
        return planned
