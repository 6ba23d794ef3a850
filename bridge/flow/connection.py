"""One open connection: the four calls between the socket and librdkafka.

    transport -> session.receive -> lane.data (encode) -> producer.send

All of it runs inside the transport's receive callback: no queue, task or future for a
message. Everything that is not data goes through a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from bridge.core.model import (
    Close,
    Data,
    Events,
    Mark,
    Note,
    Now,
    Plan,
    Reason,
    Send,
    State,
    Transport,
    Unreadable,
)
from bridge.core.orders import Reply
from bridge.errors import SchemaError
from bridge.flow.outlet import Ledger, Outlet
from bridge.venues.base import Session

Log = Callable[..., None]

# A session is ticked ten times a second; a longer step is a pause or a stall of ours.
LEAP_NS = 500_000_000


class Kafka(Protocol):
    """What a connection watches at the end of each chunk."""

    @property
    def above_high(self) -> bool:
        """Tell whether the queue is above its high mark."""

    def poll(self) -> None:
        """Serve delivery reports."""


class Surroundings(NamedTuple):
    """What the connections of one worker share; `full` pauses them all."""

    kafka: Kafka
    ledger: Ledger
    log: Log
    full: Callable[[], None]
    now: Callable[[], Now]


class Connection:
    """Binds one session to one transport and one outlet, for as long as both live."""

    def __init__(self, session: Session, outlet: Outlet, around: Surroundings) -> None:
        """Prepare; frames are kept until `attach`."""
        self.session = session
        self.outlet = outlet
        self.plan: Plan = outlet.plan
        self.closing: Close | None = None
        self._kafka, self._ledger, self._log, self._full, self._now = around
        self.replies: Callable[[Reply], None] = _unasked
        self._transport: Transport | None = None
        # The venue may speak before `connect` has returned: kept until `attach`.
        self._early: list[tuple[bytes, int]] | None = []
        self._receive = session.receive
        self._data = outlet.data
        self._cut = False
        self._paused = False
        self._ticked_ns = 0
        self._behind_ns = 0
        self._acts: dict[type, Callable[[Any, int], None]] = {
            Data: self._data,
            Mark: self._on_mark,
            Send: self._on_send,
            Unreadable: self._on_unreadable,
            Close: self._on_close,
            Note: self._on_note,
            Reply: self._on_reply,
        }

    def now(self) -> Now:
        """Return the present."""
        return self._now()

    @property
    def alive(self) -> bool:
        """Tell whether a transport is attached."""
        return self._transport is not None

    def attach(self, transport: Transport, now: Now) -> None:
        """Start the conversation on an open transport."""
        self._transport = transport
        self._ticked_ns = now.mono_ns
        self.apply(self.session.opened(now), now.wall_ns)
        early, self._early = self._early or [], None
        for data, received_ns in early:
            self.on_frame(data, received_ns)

    def on_frame(self, data: bytes, received_ns: int) -> None:
        """Take one message: decode, encode, produce."""
        if self._early is not None:
            self._early.append((data, received_ns))
            return
        self._ledger.frames += 1
        for event in self._receive(data, received_ns):
            if type(event) is Data:
                try:
                    self._data(event, received_ns)
                except SchemaError as error:
                    self._misfit(event, error, data, received_ns)
            else:
                self._acts[type(event)](event, received_ns)

    def on_chunk_end(self) -> None:
        """Serve delivery reports and look at the marks once a read."""
        self._kafka.poll()
        if self._kafka.above_high:
            self._full()

    def apply(self, events: Events, at_ns: int) -> None:
        """Carry out events that no frame caused."""
        for event in events:
            self._acts[type(event)](event, at_ns)

    def tick(self, now: Now) -> None:
        """Let time pass for the session, unless its frames wait in the socket."""
        if self._transport is not None and not self._paused:
            self.apply(self.session.tick(self._time(now)), now.wall_ns)

    def pause(self) -> None:
        """Stop reading the socket."""
        self._paused = True
        if self._transport is not None:
            self._transport.pause()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._transport is not None:
            self._transport.resume()

    def cut(self, now: Now) -> None:
        """Let the subscriptions go and read on, so that the socket stays alive."""
        self._cut = True
        self.apply(self.session.cut(self._time(now)), now.wall_ns)
        self.resume()

    def heal(self, now: Now) -> None:
        """Announce what was lost and bind again."""
        self._cut = False
        self.apply(self.session.heal(self._time(now)), now.wall_ns)

    def lost(self, subscription: str, count: int, detail: str, now: Now) -> bool:
        """Report records that never reached Kafka; False if not ours."""
        for channel, lane in enumerate(self.outlet.lanes):
            if lane.subscription.name == subscription:
                lost = self.session.lost(channel, count, self._time(now), detail)
                self.apply(lost, now.wall_ns)
                return True
        return False

    def finish(self, events: Events) -> None:
        """Write the last boundaries and let go of the transport."""
        self.apply(events, self._now().wall_ns)
        self._ledger.discarded += self.session.tally.discarded
        self._transport = None

    def describe(self, now: Now) -> Mapping[str, Any]:
        """Return what a person wants to know of this connection, JSON-ready."""
        tally = self.session.tally
        return {
            "source": self.plan.source,
            "name": self.plan.name,
            "connection": self.outlet.connection,
            "frames": tally.frames,
            "discarded": tally.discarded,
            "bindings": [dict(b) for b in self.session.describe(now)],
        }

    def _time(self, now: Now) -> Now:
        """Return the session's present: our pauses are not the venue's silence."""
        step_ns = now.mono_ns - self._ticked_ns
        self._ticked_ns = now.mono_ns
        self._behind_ns += max(0, step_ns - LEAP_NS)
        return Now(now.wall_ns, now.mono_ns - self._behind_ns)

    def _misfit(
        self, event: Data, error: SchemaError, raw: bytes, received_ns: int
    ) -> None:
        self._on_unreadable(
            Unreadable(event.channel, Reason.OUT_OF_RANGE, str(error), raw),
            received_ns,
        )
        lost = self.session.lost(event.channel, 1, self._time(self._now()), str(error))
        self.apply(lost, received_ns)

    def _on_mark(self, mark: Mark, _at_ns: int) -> None:
        self.outlet.mark(mark, self._now().wall_ns)
        if mark.state is State.GAP:
            self._ledger.gaps += 1
        if mark.state is not State.SNAPSHOT_BEGIN:
            self._log(
                "subscription",
                source=self.plan.source,
                subscription=self.outlet.lanes[mark.channel].subscription.name,
                connection=self.outlet.connection,
                state=mark.state.name,
                reason=str(mark.reason),
                detail=mark.detail,
                lost=mark.lost,
            )

    def _on_send(self, event: Send, _at_ns: int) -> None:
        if self._transport is not None:
            self._transport.send(event.text)

    def _on_unreadable(self, event: Unreadable, at_ns: int) -> None:
        """Write a dead letter; while cut it could pile up, so it is counted as lost."""
        if not self._cut:
            self.outlet.dead_letter(event, at_ns)
            return
        channel = event.channel or 0
        now = self._time(self._now())
        self.apply(self.session.lost(channel, 1, now, event.error), at_ns)

    def _on_close(self, event: Close, _at_ns: int) -> None:
        self.closing = self.closing or event
        if self._transport is not None:
            self._transport.abort()

    def _on_reply(self, event: Reply, _at_ns: int) -> None:
        self.replies(event)

    def _on_note(self, event: Note, _at_ns: int) -> None:
        self._log(event.event, source=self.plan.source, **event.facts)


def _unasked(_reply: Reply) -> None:
    """Take a reply on a connection that carries no requests."""
