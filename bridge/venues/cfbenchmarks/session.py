"""One connection's conversation with CF Benchmarks; the rules are in `venues.base`.

Source: CF Benchmarks WebSocket API v4. A subscribe is not acknowledged: the first value
is the answer. An unsubscribe is not acknowledged either. There is no replay. Pings are
the transport's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from bridge.core.backoff import Backoff
from bridge.core.lifecycle import SECOND_NS
from bridge.core.model import (
    Binding,
    Close,
    Event,
    Events,
    Handshake,
    Note,
    Now,
    Plan,
    Reason,
    Send,
    Tally,
    Unreadable,
)
from bridge.errors import VenueError
from bridge.venues.base import Context
from bridge.venues.cfbenchmarks import auth, frames
from bridge.venues.cfbenchmarks.feed import MS, Feed
from bridge.venues.cfbenchmarks.rhythm import HOMES, UNKNOWN

INFO_WAIT_NS = 5 * SECOND_NS  # an older manual lacks `info`: go on without; our choice
LEAP_NS = 10 * SECOND_NS  # a Unix clock that moved more than this was stepped


class CfBenchmarksSession:
    """Logs in, asks for each (id, stream), and passes on what comes."""

    def __init__(self, plan: Plan, context: Context) -> None:
        """Prepare one connection attempt."""
        self.tally = Tally()
        self._plan = plan
        self._context = context
        self._login: str = plan.options.get("login", auth.DEFAULT_LOGIN)
        self._feeds = [self._feed(binding) for binding in plan.bindings]
        self._by_frame = {(f.stream, f.index): f for f in self._feeds}
        self._now = Now(0, 0)
        self._info_due_ns: int | None = None
        self._given_up = False
        self._takers: Mapping[type, Callable[[Any, bytes, int], list[Event]]] = {
            frames.Value: self._on_value,
            frames.Stats: self._on_stats,
            frames.Listing: self._on_listing,
            frames.Refusal: self._on_refusal,
            frames.Echo: self._on_echo,
            frames.Bad: self._on_bad,
        }

    def handshake(self, now: Now) -> Handshake:
        """Return URL and login in the configured form."""
        self._now = now
        return auth.LOGINS[self._login](self._plan.url, self._context.credentials)

    def refused(self, status: int, body: bytes) -> VenueError:
        """Tell a refused login from a venue that is away."""
        return auth.refusal(self._plan.source, self._context.credentials, status, body)

    def opened(self, now: Now) -> Events:
        """Ask what the key may use, and subscribe without waiting for the answer."""
        self._now = now
        self._info_due_ns = now.mono_ns + INFO_WAIT_NS
        events: list[Event] = [Send(frames.INFO)]
        for feed in self._feeds:
            events += feed.act(
                feed.life.bind(now.mono_ns, Reason.CONNECTED), now.mono_ns
            )
        return [*events, *self._unwatched()]

    def receive(self, data: bytes, received_ns: int) -> Events:
        """Classify one message, count it, and pass it on."""
        message = frames.read(data)
        return self._takers[type(message)](message, data, received_ns)

    def tick(self, now: Now) -> Events:
        """Let time pass for every subscription, then for the connection."""
        self._now = now
        if self._given_up:
            return []
        events: list[Event] = []
        for feed in self._feeds:
            events += feed.tick(now)
        if self._info_due_ns is not None and now.mono_ns >= self._info_due_ns:
            self._info_due_ns = None
            events.append(Note("info_unanswered", {}))
        if self._deaf(now):
            self._given_up = True
            events.append(self._give_up())
        return events

    def lost(self, channel: int, count: int, now: Now, detail: str) -> Events:
        """Announce the loss and subscribe afresh."""
        feed = next((f for f in self._feeds if f.channel == channel), None)
        if feed is None:
            return []
        steps = feed.life.broken(now.mono_ns, Reason.DELIVERY_FAILED, detail, count)
        return feed.act(steps, now.mono_ns)

    def cut(self, now: Now) -> Events:
        """Unsubscribe from everything."""
        self._now = now
        events: list[Event] = []
        for feed in self._feeds:
            events += feed.act(feed.life.cut(now.mono_ns), now.mono_ns)
        return events

    def heal(self, now: Now) -> Events:
        """Announce the gaps and subscribe again."""
        self._now = now
        events: list[Event] = []
        for feed in self._feeds:
            events += feed.act(feed.life.heal(now.mono_ns), now.mono_ns)
        return events

    def drop(self, names: Collection[str], reason: Reason) -> Events:
        """Let these subscriptions go; their frames are still known, and discarded."""
        going = [feed for feed in self._feeds if feed.name in names]
        self._feeds = [feed for feed in self._feeds if feed.name not in names]
        return _ended(going, reason)

    def stop(self, reason: Reason) -> Events:
        """Unsubscribe from everything, then end every sequence."""
        self._info_due_ns = None
        return _ended(self._feeds, reason)

    def closed(self, detail: str) -> Events:
        """End every sequence with a gap."""
        self._info_due_ns = None
        reason = Reason.CONNECTION_LOST
        return [event for feed in self._feeds for event in feed.end(reason, detail)]

    def positions(self) -> Mapping[str, int]:
        """Return the newest source time of each subscription, for the next session."""
        places = ((feed.name, feed.position_ms) for feed in self._feeds)
        return {name: place for name, place in places if place is not None}

    def describe(self, now: Now) -> Sequence[Mapping[str, Any]]:
        """Return one mapping a subscription."""
        return [feed.describe(now) for feed in self._feeds]

    def _feed(self, binding: Binding) -> Feed:
        resume = self._context.options.get("resume", {}).get(binding.name)
        return Feed(binding, Backoff(self._context.chance), resume)

    def _mono_ns(self, received_ns: int) -> int:
        """Put a receive time on the clock that never steps, from the last tick on."""
        since_ns = received_ns - self._now.wall_ns
        return self._now.mono_ns + min(max(since_ns, 0), LEAP_NS)

    def _unwatched(self) -> list[Event]:
        help_text = "set rhythm or stale_after_s to have its silence noticed"
        return [
            Note("rhythm_unknown", {"subscription": feed.name, "help": help_text})
            for feed in self._feeds
            if feed.rhythm == UNKNOWN
        ]

    def _on_value(
        self, frame: frames.Value, data: bytes, received_ns: int
    ) -> list[Event]:
        feed = self._by_frame.get((frames.VALUE, frame.id))
        if feed is None or not feed.accepting:
            return self._misplaced(feed, frame.id, data)
        self.tally.data += 1
        return feed.value(frame, received_ns // MS, self._mono_ns(received_ns))

    def _on_stats(
        self, frame: frames.Stats, data: bytes, received_ns: int
    ) -> list[Event]:
        feed = self._by_frame.get((frames.RTI_STATS, frame.id))
        if feed is None or not feed.accepting:
            return self._misplaced(feed, frame.id, data)
        self.tally.data += 1
        return feed.stats(frame, received_ns // MS, self._mono_ns(received_ns))

    def _misplaced(self, feed: Feed | None, index: str, data: bytes) -> list[Event]:
        """Take data that was not asked for, or that cannot be passed on now."""
        if feed is not None:
            self.tally.discarded += 1
            feed.life.discard()
            return []
        self.tally.unreadable += 1
        error = f"{index[:80]!a} was not subscribed"
        return [Unreadable(None, Reason.UNKNOWN_SUBSCRIPTION, error, data)]

    def _on_listing(
        self, listing: frames.Listing, _data: bytes, _received_ns: int
    ) -> list[Event]:
        """Name what was asked for and is not there; it is subscribed all the same."""
        self.tally.control += 1
        self._info_due_ns = None
        missing = sorted({f.index for f in self._feeds} - listing.ids)
        if not missing:
            return []
        facts: dict[str, Any] = {"missing": missing}
        homes = {HOMES[i] for i in missing if i in HOMES} - {self._plan.url}
        if homes:
            facts["help"] = f"Nasdaq indices are served by {', '.join(sorted(homes))}"
        return [Note("indices_not_listed", facts)]

    def _on_refusal(
        self, refusal: frames.Refusal, data: bytes, _received_ns: int
    ) -> list[Event]:
        """Take a command that came back: a subscribe is refused, others are noted."""
        feed = self._by_frame.get((refusal.stream, refusal.id))
        if refusal.command == "info":
            self._info_due_ns = None
        if refusal.command == "subscribe" and feed and feed.life.accepting:
            self.tally.control += 1
            return feed.refused(refusal.reason, self._now.mono_ns)
        if refusal.command == "info" or feed:
            self.tally.control += 1
            facts = {"command": refusal.command, "reason": refusal.reason}
            return [Note("command_refused", {**facts, "id": refusal.id})]
        self.tally.unreadable += 1
        return [Unreadable(None, Reason.VENUE_ERROR, refusal.reason, data)]

    def _on_echo(
        self, _echo: frames.Echo, _data: bytes, _received_ns: int
    ) -> list[Event]:
        self.tally.control += 1
        return []

    def _on_bad(self, bad: frames.Bad, data: bytes, _received_ns: int) -> list[Event]:
        """Hand over what cannot be read; no state depends on it, so nothing rebinds."""
        feed = self._by_frame.get((bad.type, bad.id))
        if feed is not None and feed not in self._feeds:
            return self._misplaced(feed, bad.id, data)
        self.tally.unreadable += 1
        channel = None if feed is None else feed.channel
        return [Unreadable(channel, bad.reason, bad.error, data)]

    def _deaf(self, now: Now) -> bool:
        """Tell whether nothing that must tick answers a subscribe any more.

        A subscription that never answered does not count beside one that did: it is
        more likely not licensed than a sign of a broken connection.
        """
        heard = [f for f in self._feeds if f.telling]
        now_ms = now.wall_ns // MS
        telling = (
            [f for f in heard if f.rhythm.ticking(now_ms)] if heard else self._feeds
        )
        return bool(telling) and all(f.dead for f in telling)

    def _give_up(self) -> Close:
        if any(f.heard for f in self._feeds):
            return Close(Reason.SILENT, "every subscription is silent")
        return Close(
            Reason.UNANSWERED,
            "no subscription was answered: the venue is quiet, or the login is not "
            "valid, since a failed login may look like silence",
        )


def _ended(feeds: Sequence[Feed], reason: Reason) -> list[Event]:
    """Unsubscribe from what the venue holds of them, then end their sequences."""
    leaving = [event for feed in feeds for event in feed.leave()]
    return leaving + [event for feed in feeds for event in feed.end(reason)]
