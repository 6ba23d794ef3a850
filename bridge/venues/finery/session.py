"""One connection's conversation with Finery Markets; see `venues.base` for the rules.

What binds, breaks and heals a subscription is in `core.lifecycle` and `bound`, what
concerns the connection as a whole in `link`, the ways of a message in `intake`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from bridge.core.backoff import Backoff
from bridge.core.lifecycle import SECOND_NS, Lifecycle, Phase, Step
from bridge.core.model import (
    Action,
    Close,
    Data,
    Event,
    Events,
    Handshake,
    Mark,
    Now,
    Plan,
    Reason,
    State,
    Subscription,
)
from bridge.errors import VenueError
from bridge.venues.base import Context
from bridge.venues.finery import auth
from bridge.venues.finery.bound import VENUE_PREFIX, Bound
from bridge.venues.finery.codes import code
from bridge.venues.finery.frames import OPERATIONS, read_update
from bridge.venues.finery.intake import Intake
from bridge.venues.finery.link import Link, Stage
from bridge.venues.finery.refusals import refusal
from bridge.venues.finery.values import error_code

CROSSED_SECONDS = 5.0

Reply = Mapping[str, Any]

# What a frame that is no update of a bound book gives: the intake looks again, and
# names what is wrong with it, if anything is.
NO_UPDATE = (ValueError, KeyError, TypeError, RecursionError)


class FinerySession:
    """The session of one connection attempt.

    `on_reply` is called with the reply to a request; what it returns is passed on.
    """

    def __init__(self, plan: Plan, context: Context) -> None:
        """Prepare; nothing is bound before the venue's status is 0."""
        options = {**plan.options, **context.options}
        inband = options.get("login") == "inband"
        self._plan = plan
        self._context = context
        self._inband = inband
        self._link = Link(context, inband=inband, ping=bool(options.get("json_ping")))
        self._crossed_ns = int(
            options.get("crossed_seconds", CROSSED_SECONDS) * SECOND_NS
        )
        self._refresh_ns = int(context.refresh_s * SECOND_NS)
        self._status = _status_channel(plan)
        self._bounds = [
            Bound(binding, plan, Lifecycle(binding, Backoff(context.chance)))
            for binding in plan.bindings
        ]
        self._intake = Intake(self._bounds, self._on_status, self._on_reply)
        self._cut = False
        self._over = False
        self.tally = self._intake.tally
        self.on_reply: Callable[[Reply], Events] = _nothing
        self._replies: dict[object, Callable[[Reply], Events]] = {
            "auth": self._on_login,
            "request": lambda message: self.on_reply(message),  # noqa: PLW0108 - may be set later
            "ping": _nothing,
            "pong": _nothing,
        }

    @property
    def ready(self) -> bool:
        """Tell whether the venue is up, and this connection logged in and not over."""
        return not self._over and not self._link.trouble

    def handshake(self, now: Now) -> Handshake:
        """Return URL and signed headers; no headers if the login comes in-band."""
        if self._inband:
            return Handshake(self._plan.url)
        context = self._context
        signed = auth.headers(context.credentials, context.nonce(), now.wall_ns)
        return Handshake(self._plan.url, signed)

    def refused(self, status: int, body: bytes) -> VenueError:
        """Turn a failed upgrade into an error that says whether to try again."""
        return refusal(self._plan.source, status, body)

    def opened(self, now: Now) -> Events:
        """Wait for the venue's status."""
        self._intake.now_ns = now.mono_ns
        self._link.opened(now)
        return [Mark(self._status, State.BINDING, Reason.CONNECTED)]

    def receive(self, data: bytes, received_ns: int) -> Events:
        """Take one message; a book update goes a short way, all else the intake's."""
        intake = self._intake
        try:
            update = read_update(data)
            bound = intake.books[update.feed, update.feed_id]
        except NO_UPDATE:
            return intake.take(data, received_ns)
        if bound.life.phase is not Phase.LIVE:
            return intake.take(data, received_ns)
        bids, asks = update.data
        try:
            return intake.update(
                bound,
                [(OPERATIONS[letter], price, size) for letter, price, size in bids],
                [(OPERATIONS[letter], price, size) for letter, price, size in asks],
            )
        except Exception as error:  # noqa: BLE001 - no frame may stop a connection
            return intake.unexpected(bound, error, data)

    def tick(self, now: Now) -> Events:
        """Let time pass for the connection and for each binding."""
        if self._over:
            return []
        self._intake.now_ns = now.mono_ns
        events = self._link.tick(now)
        for bound in self._bounds:
            events += bound.act(bound.pulse(now.mono_ns, self._crossed_ns))
        events += self._refreshes(now.mono_ns)
        self._over = any(isinstance(event, Close) for event in events)
        return events

    def lost(self, channel: int, count: int, now: Now, detail: str) -> Events:  # noqa: ARG002 - the last tick is near enough
        """Announce records that never reached Kafka, and rebind for fresh ones."""
        reason, now_ns = Reason.DELIVERY_FAILED, self._intake.now_ns
        if channel == self._status:
            return [Mark(channel, State.GAP, reason, detail, count), *self._restated()]
        of = [b for b in self._bounds if channel in b.binding.channels]
        told = _each(of, lambda b: b.life.broken(now_ns, reason, detail, count))
        return [_counted_once(event, channel) for event in told]

    def cut(self, now: Now) -> Events:
        """Let every binding go; what is not bound yet waits for `heal`."""
        self._intake.now_ns = now.mono_ns
        self._cut = True
        begun = [b for b in self._bounds if b.life.phase is not Phase.IDLE]
        return _each(begun, lambda bound: bound.life.cut(now.mono_ns))

    def heal(self, now: Now) -> Events:
        """Announce the gaps; bind again at once, or when the venue is ready."""
        self._intake.now_ns = now.mono_ns
        self._cut = False
        return _each(self._bounds, self._park if self._link.trouble else self._start)

    def drop(self, names: Collection[str], reason: Reason) -> Events:
        """Let these bindings go; the intake still knows what to discard."""
        going = [b for b in self._bounds if b.binding.name in names]
        self._bounds = [b for b in self._bounds if b.binding.name not in names]
        return _ended(going, reason)

    def stop(self, reason: Reason) -> Events:
        """Unbind what the venue holds, then end every sequence."""
        self._over = True
        return [
            *_ended(self._bounds, reason),
            Mark(self._status, State.ENDED, reason),
        ]

    def closed(self, detail: str) -> Events:
        """End every sequence of a lost connection, each behind a gap."""
        self._over = True
        reason = Reason.CONNECTION_LOST
        return [
            *_each(self._bounds, lambda bound: bound.life.ended(reason, detail)),
            Mark(self._status, State.GAP, reason, detail),
            Mark(self._status, State.ENDED, reason, detail),
        ]

    def positions(self) -> Mapping[str, int]:
        """Return nothing: this venue's feed messages carry no source time."""
        return {}

    def describe(self, now: Now) -> Sequence[Mapping[str, Any]]:
        """Return name, phase, age of data and top of book of each binding."""
        return [bound.described(now.mono_ns) for bound in self._bounds]

    def _on_status(self, number: int, received_ns: int) -> Events:
        """Pass the status on; bind when it is 0, suspend when it is not."""
        first = self._link.status is None
        was_down = bool(self._link.trouble)
        greeting = self._link.told(code(number), received_ns)
        told = self._restated() if first else self._told(Action.UPDATE)
        if number:
            return [*told, *self._suspend()]
        starting = self._link.stage is Stage.READY and was_down
        return [*told, *greeting, *(self._begin() if starting else ())]

    def _on_reply(self, message: Reply) -> Events | None:
        event = message.get("event")
        known = self._replies.get(event) if isinstance(event, str) else None
        return None if known is None else known(message)

    def _on_login(self, message: Reply) -> Events:
        was_ready = self._link.stage is Stage.READY
        events = self._link.answered(error_code(message.get("error", 0)))
        self._over = self._over or bool(events)
        ready = not was_ready and not self._link.trouble
        return [*events, *(self._begin() if ready else ())]

    def _begin(self) -> Events:
        return [] if self._cut else _each(self._bounds, self._start)

    def _start(self, bound: Bound) -> Iterable[Step]:
        """Bind what is idle, cut or suspended; nothing else is touched."""
        life, now_ns = bound.life, self._intake.now_ns
        if life.phase is Phase.IDLE:
            return life.bind(now_ns, Reason.CONNECTED)
        return [*life.heal(now_ns), *life.recover(now_ns)]

    def _park(self, bound: Bound) -> Iterable[Step]:
        """Announce the gap of a cut binding that the venue cannot take back yet."""
        return bound.life.parked(self._intake.now_ns, self._link.trouble)

    def _suspend(self) -> Events:
        detail, now_ns = self._link.trouble, self._intake.now_ns
        return _each(self._bounds, lambda bound: bound.life.suspend(now_ns, detail))

    def _told(self, action: Action) -> list[Event]:
        """Return the status as a record."""
        status = self._link.status
        if status is None:
            return []
        payload = (status.number, status.meaning, status.number == 0)
        return [Data(self._status, action, None, (payload,))]

    def _restated(self) -> list[Event]:
        """Return the status whole, and that it can be trusted from here."""
        told = self._told(Action.SNAPSHOT)
        return [*told, Mark(self._status, State.LIVE, Reason.SNAPSHOT)] if told else []

    def _refreshes(self, now_ns: int) -> list[Event]:
        """Return the live books that are due, each at a moment of its own."""
        found: list[Event] = []
        for index, bound in enumerate(self._bounds):
            if not bound.feed.book or bound.life.phase is not Phase.LIVE:
                continue
            if bound.refresh_ns <= bound.life.since_ns:
                share = (index + 1) / len(self._bounds)
                bound.refresh_ns = now_ns + int(self._refresh_ns * share)
            elif now_ns >= bound.refresh_ns:
                bound.refresh_ns = now_ns + self._refresh_ns
                found.append(bound.refreshed())
        return found


def _each(
    bounds: Iterable[Bound], steps: Callable[[Bound], Iterable[Step]]
) -> list[Event]:
    return [event for bound in bounds for event in bound.act(steps(bound))]


def _ended(bounds: Sequence[Bound], reason: Reason) -> list[Event]:
    """Unbind what the venue holds of them, then end their sequences."""
    unbinds = [event for bound in bounds for event in bound.leave()]
    return [*unbinds, *_each(bounds, lambda bound: bound.life.ended(reason))]


def _counted_once(event: Event, channel: int) -> Event:
    """Keep the number of lost records on the one subscription that lost them."""
    if isinstance(event, Mark) and event.channel != channel:
        return Mark(event.channel, event.state, event.reason, event.detail)
    return event


def status_subscription(source: str, plan: str) -> Subscription:
    """Return the subscription to the status of the connection of that plan.

    It has no feed id: connections come and go, and must not have topics of their own.
    """
    return Subscription(
        source=source,
        name=f"status:{plan}",
        stream=f"{VENUE_PREFIX}status",
        key=source,
        partition_key=source,
    )


def _status_channel(plan: Plan) -> int:
    streams = [subscription.stream for subscription in plan.subscriptions]
    return streams.index(f"{VENUE_PREFIX}status")


def _nothing(_message: Reply) -> Events:
    return []
