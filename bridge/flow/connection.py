"""One open connection: the four calls between the socket and librdkafka.

    transport -> session.receive -> lane.data (encode) -> producer.send

All of it runs inside the transport's receive callback: no queue, task or future for a
message. Everything that is not data goes through a table.

A connection that is abandoned, or finds its lease over, falls silent: from then on it
writes, sends and logs nothing, whatever is called, and discards what it receives.
One that is held talks to the venue, but keeps what it would write until `release`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

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
from bridge.flow.hold import Hold, Kept, Receive
from bridge.flow.outlet import Outlet
from bridge.flow.presence import Presence
from bridge.flow.surroundings import Surroundings
from bridge.venues.base import Session

Log = Callable[..., None]


class Connection:
    """Binds one session to one transport and one outlet, for as long as both live."""

    def __init__(self, session: Session, outlet: Outlet, around: Surroundings) -> None:
        """Prepare; frames are kept until `attach`."""
        self.session = session
        self.outlet = outlet
        self.plan: Plan = outlet.plan
        self.closing: Close | None = None
        self._kafka, self._ledger, self._log, self._full, self._now = around[:5]
        self._lease = around.lease
        self.replies: Callable[[Reply], None] = _nothing
        self._transport: Transport | None = None
        # The venue may speak before `connect` has returned: kept until `attach`.
        self._early: list[tuple[bytes, int]] | None = []
        self._receive: Receive = session.receive
        self._data = outlet.data
        self._cut = False
        self._paused = False
        self._presence = Presence()
        self._hold: Hold | None = None
        self._dropped: set[int] = set()
        self._acts: dict[type, Callable[[Any, int], None]] = {
            Data: self._data,
            Mark: self._on_mark,
            Send: self._on_send,
            Unreadable: self._on_unreadable,
            Close: self._on_close,
            Note: self._on_note,
            Reply: lambda reply, _at_ns: self.replies(reply),
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
        if self._early is None:  # silenced while the transport was being opened
            transport.abort()
            return
        self._transport = transport
        self._presence.begin(now)
        self.apply(self.session.opened(now), now.wall_ns)
        early, self._early = self._early or [], None
        for data, received_ns in early:
            self.on_frame(data, received_ns)

    def on_frame(self, data: bytes, received_ns: int) -> None:
        """Take one message: decode, encode, produce; not once the lease is over."""
        if received_ns > self._lease.until_ns and self._lease.over:
            self._expire()
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
        """Carry out events that no frame caused, unless the lease is over."""
        if self._lease.over:
            self._expire()
        if self._hold is not None:
            events = self._hold.keep(events, at_ns)
        for event in events:
            self._acts[type(event)](event, at_ns)

    def hold(self) -> Hold:
        """Keep from now on what would be written, and return where it is kept."""
        self._hold = hold = Hold()
        self._receive = hold.around(self._receive)
        return hold

    def release(self) -> None:
        """Write what was kept, in order, and from now on everything at once."""
        if self._lease.over:
            self._expire()
        if self._hold is not None:
            hold, self._hold = self._hold, None
            self._receive = self.session.receive
            hold.replay(self._wrote)

    def tick(self, now: Now) -> None:
        """Let time pass for the session, unless its frames wait in the socket."""
        if self._transport is not None and not self._paused:
            self.apply(self.session.tick(self._presence.step(now)), now.wall_ns)

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
        self.apply(self.session.cut(self._presence.step(now)), now.wall_ns)
        self.resume()

    def heal(self, now: Now) -> None:
        """Announce what was lost and bind again."""
        self._cut = False
        self.apply(self.session.heal(self._presence.step(now)), now.wall_ns)

    def drop(self, names: Collection[str], reason: Reason, now: Now) -> None:
        """Let these bindings go for good; the others do not notice."""
        self.apply(self.session.drop(names, reason), now.wall_ns)
        for binding in self.plan.bindings:
            if binding.name in names:
                self._dropped.update(binding.channels)
        if self._hold is not None:
            self._hold.forget(self._dropped)

    def lost(self, subscription: str, count: int, detail: str, now: Now) -> bool:
        """Report records that never reached Kafka; False if not ours, or not any more.

        The plan's name stands for what belongs to no single subscription.
        """
        channel = self._channel(subscription)
        if channel is None:
            return False
        lost = self.session.lost(channel, count, self._presence.step(now), detail)
        self.apply(lost, now.wall_ns)
        return True

    def ended(self, reason: str) -> None:
        """Count an end that nobody here wanted, or that it could not be opened."""
        told = str(self.closing.reason) if self.closing else reason
        self._ledger.tallies.disconnects[self.plan.source, told] += 1

    def finish(self, events: Events) -> None:
        """Write the last boundaries and let go of the transport."""
        self.apply(events, self._now().wall_ns)
        self._let_go()

    def silence(self) -> None:
        """Fall silent for good and drop the transport; frames are still counted."""
        early, self._early = self._early or [], None
        hold, self._hold = self._hold, None
        self._ledger.frames += len(early)
        self._ledger.discarded += len(early) + (hold.frames if hold else 0)
        self._receive = self._discard
        self._data = self._log = _nothing
        self._acts = dict.fromkeys(self._acts, _nothing)
        if self._transport is not None:
            self._transport.abort()
        self._let_go()

    def describe(self, now: Now) -> Mapping[str, Any]:
        """Return what a person wants to know of this connection, JSON-ready."""
        tally, present = self.session.tally, self._presence.at(now)
        return {
            "source": self.plan.source,
            "name": self.plan.name,
            "connection": self.outlet.connection,
            "frames": tally.frames,
            "discarded": tally.discarded,
            "bindings": [dict(b) for b in self.session.describe(present)],
        }

    def _channel(self, name: str) -> int | None:
        """Return the first channel under that name that was not dropped."""
        names = [(s.name, self.plan.name) for s in self.plan.subscriptions]
        found = (c for c, known in enumerate(names) if name in known)
        return next((c for c in found if c not in self._dropped), None)

    def _expire(self) -> None:
        """Fall silent because the lease is over; said once."""
        self._log("lease_over", source=self.plan.source, name=self.plan.name)
        self.silence()

    def _let_go(self) -> None:
        """Let go of the transport, and account for what the session discarded."""
        if self._transport is not None:
            self._ledger.discarded += self.session.tally.discarded
            self._transport = None

    def _discard(self, data: bytes, received_ns: int) -> Events:  # noqa: ARG002 - Session.receive
        self._ledger.discarded += 1
        return ()

    def _wrote(self, kept: Kept) -> bool:
        """Write late; False where a gap began, and what was kept behind it is void."""
        event, at_ns, raw = kept
        try:
            self._acts[type(event)](event, at_ns)
        except SchemaError as error:
            assert isinstance(event, Data)  # noqa: S101 - nothing else may not fit
            self._misfit(event, error, raw, at_ns)
            return False
        return True

    def _misfit(
        self, event: Data, error: SchemaError, raw: bytes, received_ns: int
    ) -> None:
        letter = Unreadable(event.channel, Reason.OUT_OF_RANGE, str(error), raw)
        self._on_unreadable(letter, received_ns)
        now = self._presence.step(self._now())
        lost = self.session.lost(event.channel, 1, now, str(error))
        self.apply(lost, received_ns)

    def _on_mark(self, mark: Mark, _at_ns: int) -> None:
        self.outlet.mark(mark, self._now().wall_ns)
        if mark.state is State.GAP:
            self._ledger.gaps += 1
        if mark.state is not State.SNAPSHOT_BEGIN:
            self._log("subscription", **self.outlet.facts(mark))

    def _on_send(self, event: Send, _at_ns: int) -> None:
        if self._transport is not None:
            self._transport.send(event.text)

    def _on_unreadable(self, event: Unreadable, at_ns: int) -> None:
        """Write a dead letter; while cut it could pile up, so it is counted as lost."""
        name = self.plan.name
        if event.channel is not None:
            name = self.plan.subscriptions[event.channel].name
        if not self._cut:
            self.outlet.dead_letter(event, at_ns)
        elif not self.lost(name, 1, event.error, self._now()):
            self._ledger.discarded += 1

    def _on_close(self, event: Close, _at_ns: int) -> None:
        self.closing = self.closing or event
        if self._transport is not None:
            self._transport.abort()

    def _on_note(self, event: Note, _at_ns: int) -> None:
        self._log(event.event, **{"source": self.plan.source, **event.facts})


def _nothing(*_event: object, **_facts: object) -> None:
    """Take what a silent connection should do, or a reply that nobody asked for."""
