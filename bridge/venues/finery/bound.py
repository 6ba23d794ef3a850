"""One binding of one connection: its words to the venue, its channels, its book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from bridge.core.book import Book
from bridge.core.lifecycle import Ask, Lifecycle, Phase, Step
from bridge.core.model import (
    Action,
    Binding,
    Close,
    Data,
    Event,
    Mark,
    Plan,
    Reason,
    Send,
    State,
)
from bridge.venues.finery.codes import BINDING_EXISTS, BINDING_NOT_FOUND, Code, Kind
from bridge.venues.finery.feeds import FEEDS, Feed, Item, Snapshot
from bridge.venues.finery.frames import canonical

MS_NS = 1_000_000
FeedId = str | int | Mapping[str, Any]
VENUE_PREFIX = "finery."


class Bound:
    """A binding while its connection lives; times are monotonic nanoseconds."""

    __slots__ = (
        "binding",
        "book",
        "channel",
        "channels",
        "feed",
        "feed_id",
        "heard_ns",
        "letter",
        "life",
        "refresh_ns",
    )

    def __init__(self, binding: Binding, plan: Plan, life: Lifecycle) -> None:
        """Look up the feed, and the channel of each of its streams."""
        self.binding = binding
        self.life = life
        self.letter: str = binding.request["feed"]
        # An id that is not sent comes back as 0; source: Finery docs, feed messages.
        self.feed_id: FeedId = binding.request.get("feedId", 0)
        self.feed = FEEDS[self.letter]
        self.channel = binding.channels[0]
        self.channels = {
            plan.subscriptions[channel].stream.removeprefix(VENUE_PREFIX): channel
            for channel in binding.channels
        }
        self.book = Book()  # stays empty where the feed is no book
        self.heard_ns = 0
        self.refresh_ns = 0

    def words(self, event: str) -> str:
        """Return the text that binds or unbinds, with the same feed id in both."""
        message = {"event": event, **self.binding.request}
        return msgspec.json.encode(message).decode()

    def begin(self, snapshot: Snapshot) -> list[Event]:
        """Return a list snapshot's records, each stream's behind its own boundary."""
        detail = f"nextId={snapshot.next_id}" if snapshot.next_id else ""
        marks: Iterable[Event] = (
            Mark(self.channels[name], State.SNAPSHOT_BEGIN, Reason.SNAPSHOT, detail)
            for name in self.feed.listed
        )
        return [*marks, *self.records(snapshot.items)]

    def again(self) -> list[Event]:
        """Return the marks that end a further snapshot of a live binding."""
        return [
            Mark(self.channels[name], State.LIVE, Reason.SNAPSHOT)
            for name in self.feed.listed
        ]

    def records(self, items: Iterable[Item]) -> list[Event]:
        """Return the items as records of their channels."""
        return [
            Data(self.channels[stream], action, key, (payload,))
            for stream, action, key, payload in items
        ]

    def refreshed(self) -> Data:
        """Return the whole book as a record."""
        return Data(self.channel, Action.REFRESH, None, self.book.levels())

    def described(self, now_ns: int) -> Mapping[str, Any]:
        """Return what a person wants to know, JSON-ready; prices and sizes in 1e-8."""
        bid, ask = self.book.top()
        live = self.life.phase is Phase.LIVE
        return {
            "name": self.binding.name,
            "phase": self.life.phase.name,
            "age_ms": (now_ns - self.heard_ns) // MS_NS if self.heard_ns else None,
            "top": {"bid": bid, "ask": ask} if self.feed.book and live else None,
        }

    def act(self, steps: Iterable[Step]) -> list[Event]:
        """Turn the lifecycle's steps into events, its asks into the venue's words."""
        return [step if isinstance(step, Mark) else self._ask(step) for step in steps]

    def leave(self) -> list[Event]:
        """Return the words that let go of it, if the venue may hold it."""
        held = self.life.held and self.life.phase is not Phase.ENDED
        return [Send(self.words("unbind"))] if held else []

    def _ask(self, ask: Ask) -> Event:
        if ask is Ask.RECONNECT:
            detail = f"no answer to the bind of {self.binding.name}"
            return Close(Reason.UNANSWERED, detail)
        return Send(self.words("bind" if ask is Ask.BIND else "unbind"))

    def refused(self, failure: Code, now_ns: int) -> list[Step]:
        """Take a `Z`: the failure of the bind or of the unbind that was asked."""
        life = self.life
        if life.phase is Phase.LIVE:
            return life.broken(now_ns, Reason.VENUE_REFUSED, failure.label)
        if life.phase is not Phase.BINDING:
            return life.unbound(now_ns)
        if failure.number == BINDING_EXISTS:
            return life.occupied(now_ns)
        if failure.number == BINDING_NOT_FOUND:  # the late answer to an earlier unbind
            return []
        transient = failure.kind is Kind.TRANSIENT
        return life.refused(now_ns, failure.label, transient=transient)

    def released(self, now_ns: int) -> list[Step]:
        """Take a `U`; one that nobody asked for breaks a live binding.

        While BINDING it is the late answer to an earlier unbind, and changes nothing.
        """
        life = self.life
        if life.phase is Phase.LIVE:
            return life.broken(now_ns, Reason.UNSUBSCRIBED, "the venue let go unasked")
        return life.unbound(now_ns)

    def pulse(self, now_ns: int, crossed_ns: int) -> list[Step]:
        """Let time pass: deadlines, silence, a book that stays crossed."""
        steps = self.life.tick(now_ns)
        if self.life.phase is not Phase.LIVE:
            return steps
        limit_ms = self.binding.stale_after_ms
        if limit_ms is not None and now_ns - self.heard_ns > limit_ms * MS_NS:
            detail = f"no data for more than {limit_ms} ms"
            return self.life.silent(now_ns, Reason.SILENT, detail)
        if fault := self.book.stays_crossed(now_ns, crossed_ns):
            return self.life.broken(now_ns, Reason.CONTRADICTION, fault)
        return steps

    def echoes(self) -> Iterator[tuple[str, FeedId]]:
        """Yield every letter and feed id under which messages of this binding come."""
        yield self.letter, self.feed_id
        for letter in self.feed.brings:
            yield letter, 0


class Route(NamedTuple):
    """Where a message belongs: its binding, and the feed of its letter."""

    bound: Bound
    feed: Feed
    own: bool


Routes = dict[tuple[str, bytes], Route]
Books = dict[tuple[str, str | int], Bound]


def routes(bounds: Iterable[Bound]) -> tuple[Routes, Books]:
    """Return the way to each binding by letter and canonical feed id.

    Books are found by a plain text or number as well, without canonical JSON: the way
    of every book update. How an object feed id is echoed is not documented: it is
    expected as the object, and taken as the instrument's name where that is clear.
    """
    found: Routes = {}
    books: Books = {}
    for bound in bounds:
        for letter, feed_id in bound.echoes():
            own = letter == bound.letter
            found[letter, canonical(feed_id)] = Route(bound, FEEDS[letter], own)
            if bound.feed.book and isinstance(feed_id, (str, int)):
                books[letter, feed_id] = bound
    for (letter, name), bound in _aliases(bounds).items():
        key = letter, canonical(name)
        if key not in found:
            found[key] = Route(bound, bound.feed, own=True)
            books[letter, name] = bound
    return found, books


def _aliases(bounds: Iterable[Bound]) -> dict[tuple[str, str], Bound]:
    """Return the bindings by object that their instrument alone would identify."""
    candidates: dict[tuple[str, str], list[Bound]] = {}
    for bound in bounds:
        if isinstance(bound.feed_id, Mapping):
            key = bound.letter, str(bound.feed_id.get("instrument"))
            candidates.setdefault(key, []).append(bound)
    return {key: several[0] for key, several in candidates.items() if len(several) == 1}
