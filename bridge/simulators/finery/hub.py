"""Who is bound to what, and the publishing of news and of changed books.

Books with the same content share one `View`; the changes between two sights are
computed once for each view, whoever looks at it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from bridge.simulators.finery import feeds
from bridge.simulators.finery.accounts import Account
from bridge.simulators.finery.books import NOTHING, Sight, changes, sight
from bridge.simulators.finery.engine import Order
from bridge.simulators.finery.feeds import BOOKS, FEEDS, Target
from bridge.simulators.finery.options import Era, Recording
from bridge.simulators.finery.venue import EVERYBODY, News, Venue
from bridge.simulators.finery.wire import Json, Message
from bridge.simulators.ledger import Ledger

# Feeds whose messages come under other letters (4.9): C with I, O and S with P.
_CARRIED_BY: Final = {"C": ("I",), "O": ("O", "P"), "S": ("S", "P")}


class Line(Protocol):
    """What the hub needs of a client's connection."""

    number: int

    def emit(self, message: Message, binding: Binding) -> None:
        """Send a feed message, subject to the faults in force."""


class View:
    """One sight of one instrument's book, shared by its bindings."""

    def __init__(self, instrument: str, seen: Callable[[Order], bool] | None) -> None:
        """Show the orders that `seen` lets through; all where None."""
        self.instrument = instrument
        self.seen = seen
        self.sight = NOTHING
        self.bindings: dict[Binding, None] = {}


class Binding:
    """One bound feed of one connection, and the tally of what went out on it."""

    def __init__(self, line: Line, feed: str, echo: str, target: Target) -> None:
        """Bind `feed`; `echo` is the feedId as JSON text."""
        self.line = line
        self.feed = feed
        self.echo = echo
        self.target = target
        self.view: View | None = None
        self.sent = 0
        self.digest = hashlib.sha256()
        self.last = ""
        self.flooded = 0

    def matches(self, news: News) -> bool:
        """Tell whether the binding's filter lets `news` through."""
        names = self.target.names
        return names is None or not names.isdisjoint(news.names)

    def facts(self) -> dict[str, Any]:
        """Return what the ledger keeps about the stream of frames."""
        return {
            "connection": self.line.number,
            "feed": self.feed,
            "feedId": self.echo,
            "sent": self.sent,
            "sha256": self.digest.hexdigest(),
            "last": self.last,
            "flooded": self.flooded,
        }


class Hub:
    """All bindings of all connections."""

    def __init__(self, venue: Venue, ledger: Ledger) -> None:
        """Publish what happens at `venue`."""
        self.venue = venue
        self._ledger = ledger
        self._recording = venue.options.recording
        self._bound: dict[tuple[str, int], dict[Binding, None]] = {}
        self._views: dict[tuple[Any, ...], View] = {}
        self._of_instrument: dict[str, dict[View, None]] = {}
        self.flooded: set[str] = set()
        self.flood_sight: Callable[[str], Sight] = lambda _: NOTHING

    def bindings(self) -> Iterable[Binding]:
        """Return every binding of account feeds and books."""
        bound = [b for group in self._bound.values() for b in group]
        return [*bound, *(b for v in self._views.values() for b in v.bindings)]

    def global_sight(self, instrument: str) -> Sight:
        """Return everybody's view of the book, whether somebody looks or not."""
        name = self.venue.catalogue.instrument(instrument).name
        return sight(self.venue.books[name])

    def views(self, instrument: str) -> list[View]:
        """Return the views of one instrument that somebody looks at."""
        return list(self._of_instrument.get(instrument, ()))

    def snapshot(self, binding: Binding) -> Json:
        """Return the data of the binding's `S` message and start its updates."""
        show = FEEDS[binding.feed].snapshot
        if show is None:
            return self._look(binding).sight.payload()
        account = EVERYBODY if binding.feed == "I" else binding.target.account.id
        self._bound.setdefault((binding.feed, account), {})[binding] = None
        return show(self.venue, binding.target)

    def drop(self, binding: Binding) -> None:
        """End the updates of a binding and write its tally down."""
        if binding.view is not None:
            binding.view.bindings.pop(binding, None)
            self._discard_if_unused(binding.view)
        account = EVERYBODY if binding.feed == "I" else binding.target.account.id
        self._bound.get((binding.feed, account), {}).pop(binding, None)
        self._ledger.add("stream", **binding.facts())

    def publish(self) -> None:
        """Send all news, then the changes of all books that changed."""
        news, self.venue.news = self.venue.news, []
        for item in news:
            self._tell(item)
        dirty, self.venue.dirty = self.venue.dirty, set()
        for instrument in sorted(dirty - self.flooded):
            self.refresh(instrument)

    def refresh(self, instrument: str) -> None:
        """Send what changed in each view of `instrument` since it was last shown."""
        for view in self.views(instrument):
            self._show(view, self._see(view))

    def reseat(self, account: Account) -> None:
        """Recompute the tradable books of an account whose permissions changed."""
        for binding in list(self.bindings()):
            if binding.feed == "F" and binding.target.account is account:
                old = binding.view
                shown = old.sight if old else NOTHING
                if old is not None:
                    old.bindings.pop(binding, None)
                    self._discard_if_unused(old)
                after = self._look(binding).sight
                self._send_change(binding, shown, after)

    def count(self, binding: Binding, text: str) -> None:
        """Note one frame sent for `binding`, as fully as the recording asks."""
        binding.sent += 1
        if self._recording is Recording.COUNTS:
            return
        binding.digest.update(text.encode())
        binding.last = text
        if self._recording is Recording.TEXT:
            self._ledger.add(
                "frame",
                connection=binding.line.number,
                feed=binding.feed,
                feedId=binding.echo,
                text=text,
            )

    def _tell(self, news: News) -> None:
        for letter in _CARRIED_BY.get(news.feed, (news.feed,)):
            bound = self._bound.get((letter, news.account))
            for binding in list(bound or ()):
                if binding.matches(news):
                    data = feeds.payload(self.venue, news, combined=letter == "P")
                    message = Message(news.feed, binding.echo, news.action, data)
                    binding.line.emit(message, binding)

    def _look(self, binding: Binding) -> View:
        """Join the view that shows what `binding` may see; make it if need be."""
        key, seen = self._eyes(binding)
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = View(binding.target.instrument, seen)
            self._of_instrument.setdefault(view.instrument, {})[view] = None
            view.sight = self._see(view)
        view.bindings[binding] = None
        binding.view = view
        return view

    def _eyes(
        self, binding: Binding
    ) -> tuple[tuple[Any, ...], Callable[[Order], bool] | None]:
        target = binding.target
        if target.makers is not None:
            makers = target.makers
            return (target.instrument, makers), lambda o: o.account in makers
        account = target.account
        seen = self.venue.seen_by(account) if binding.feed == "F" else None
        if seen is None:
            return (target.instrument,), None
        hidden = frozenset(account.hidden_makers)
        return (target.instrument, account.id, hidden), seen

    def _see(self, view: View) -> Sight:
        if view.instrument in self.flooded:
            return self.flood_sight(view.instrument)
        return sight(self.venue.books[view.instrument], view.seen)

    def _show(self, view: View, after: Sight) -> None:
        before, view.sight = view.sight, after
        for binding in list(view.bindings):
            self._send_change(binding, before, after)

    def _send_change(self, binding: Binding, before: Sight, after: Sight) -> None:
        if before == after:
            return
        action, data = self.change(binding.feed, before, after)
        binding.line.emit(Message(binding.feed, binding.echo, action, data), binding)

    def change(self, feed: str, before: Sight, after: Sight) -> tuple[str, Any]:
        """Return action and data of one book message: F by changes, B by era (3.1)."""
        if feed in BOOKS - {"F"} and self.venue.options.era is Era.NEW:
            return "S", after.payload()
        cut_top = self.venue.options.rules.cut_top
        return "M", changes(before, after, cut_top=cut_top)

    def _discard_if_unused(self, view: View) -> None:
        if view.bindings:
            return
        self._views = {k: v for k, v in self._views.items() if v is not view}
        self._of_instrument.get(view.instrument, {}).pop(view, None)
