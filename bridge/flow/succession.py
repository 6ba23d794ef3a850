"""When a second connection may take over from the first: nothing may be missed.

The new one talks to the venue already, and keeps what it would write. Every
subscription that is live on the old one must have had its answer on the new one, and
both must have seen the same moment of what has source times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from bridge.core.model import Closed, Now, Reason, State, Transport
from bridge.errors import VenueUnreachable
from bridge.flow.connection import Connection
from bridge.flow.feed_parts import Parts

LIMIT_NS = 10_000_000_000


class Opened(NamedTuple):
    """An open connection, and what must be undone when it is over."""

    connection: Connection
    transport: Transport
    held: ExitStack

    def kept(self) -> Opened:
        """Return the same, for whoever keeps it longer than this block."""
        return self._replace(held=self.held.pop_all())

    def why(self, closed: Closed) -> str:
        """Say why the connection ended: our own reason goes before the network's."""
        closing = self.connection.closing
        return closing.detail if closing else f"{closed.detail} ({closed.code})"

    def break_off(self, error: Exception) -> None:
        """End the sequences that a fault of ours leaves open, as if the line broke."""
        if (connection := self.connection).alive:
            connection.finish(connection.session.closed(f"unexpected: {error!r}"))


class Succession:
    """The overlap of two connections; opens the conversation of the new one."""

    def __init__(self, old: Opened, new: Opened, parts: Parts) -> None:
        """Attach the new connection, held."""
        self._old = old.connection
        self._new = new.connection
        self._parts = parts
        self._hold = self._new.hold()
        self._begun: dict[str, int] = {}
        self._waits_for = ""
        now = parts.clock.now()
        self._until_ns = now.mono_ns + LIMIT_NS
        self._new.attach(new.transport, now)

    def ready(self, now: Now) -> bool:
        """Let time pass; tell whether the new connection may take over now.

        Raises:
            VenueUnreachable: it did not get as far as the old one in time.
        """
        self._new.tick(now)
        if not self._new.alive:
            return False
        missing = sorted({*self._unanswered(), *self._ahead()})
        if not missing and self._at_rest():
            return True
        if self._hold.full or (missing and now.mono_ns > self._until_ns):
            raise VenueUnreachable(self._new.plan.source, self._behind(missing))
        return False

    def take_over(self, now: Now) -> str:
        """End the old connection's sequences, and begin the new one's: one step.

        Returns what else ended with the old one, empty for nothing.
        """
        told = self._parts.left(self._old)
        self._old.finish(self._old.session.stop(Reason.ROTATED))
        self._old.silence()
        self._new.release()
        self._parts.joined(self._new, now)
        return told

    def _at_rest(self) -> bool:
        why = self._parts.may_take_over(self._old, self._new)
        if why and not self._waits_for:
            plan = self._new.plan
            self._parts.log(
                "renewal_waits", source=plan.source, name=plan.name, detail=why
            )
        self._waits_for = why
        return not why

    def _unanswered(self) -> Iterator[str]:
        """Yield what is live on the old connection, and still open on the new one."""
        live = live_on(self._old)
        for channel, subscription in enumerate(self._new.plan.subscriptions):
            if subscription.name in live and not self._hold.settled(channel):
                yield subscription.name

    def _ahead(self) -> Iterator[str]:
        """Yield what began on the new connection later than the old one has come."""
        for name, time_ms in self._new.session.positions().items():
            self._begun.setdefault(name, time_ms)
        live, so_far = bindings_live_on(self._old), self._old.session.positions()
        for name, time_ms in self._begun.items():
            if name in live and so_far.get(name, time_ms) < time_ms:
                yield name

    def _behind(self, missing: list[str]) -> str:
        seen = f"{len(self._hold.kept)} events within {LIMIT_NS // 1_000_000_000} s"
        lacks = f", but no {', '.join(missing)}" if missing else ""
        return f"the new connection has {seen}{lacks}; the old one goes on"


def live_on(connection: Connection) -> set[str]:
    """Return the subscriptions whose last boundary says LIVE."""
    lanes = [(lane.subscription.name, lane.state) for lane in connection.outlet.lanes]
    return {name for name, mark in lanes if mark and mark.state is State.LIVE}


def bindings_live_on(connection: Connection) -> set[str]:
    """Return the bindings of which a subscription is live."""
    live, subscriptions = live_on(connection), connection.plan.subscriptions
    return {
        binding.name
        for binding in connection.plan.bindings
        if any(subscriptions[channel].name in live for channel in binding.channels)
    }


def resumed(old: Connection) -> Mapping[str, int]:
    """Return where a successor must go on from: what is live begins anew by itself.

    What the old connection still writes would be missing on the new one otherwise.
    """
    live = bindings_live_on(old)
    return {n: at for n, at in old.session.positions().items() if n not in live}
