"""The ways of a message: to a binding, the status, a reply, or the dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bridge.core.lifecycle import Phase, Step
from bridge.core.model import (
    Action,
    Data,
    Event,
    Events,
    Reason,
    Tally,
    Unreadable,
)
from bridge.venues.finery.bound import Bound, Route, routes
from bridge.venues.finery.codes import code
from bridge.venues.finery.feeds import FEEDS, STATUS, Item
from bridge.venues.finery.frames import (
    Change,
    Head,
    Level,
    canonical,
    levels,
    read,
    read_message,
    updates,
)
from bridge.venues.finery.values import Misread, error_code, shown

OnStatus = Callable[[int, int], Events]
OnReply = Callable[[Mapping[str, Any]], Events | None]


class Intake:
    """Classifies every message of one connection exactly once, in `tally`.

    `on_status` takes the code and the Unix time in ns of a status message and returns
    at least its record; `on_reply` takes a command reply and returns None if it does
    not know the event. `now_ns` is the monotonic time of the last tick.
    """

    def __init__(
        self, bounds: Iterable[Bound], on_status: OnStatus, on_reply: OnReply
    ) -> None:
        """Draw up the routes to the bindings."""
        self.tally = Tally()
        self.now_ns = 0
        self._routes, self.books = routes(bounds)
        self._on_status = on_status
        self._on_reply = on_reply

    def take(self, data: bytes, received_ns: int) -> Events:
        """Take any message; never raises."""
        bound: Bound | None = None
        try:
            message = read_message(data)
            if not isinstance(message, Head):
                return self._reply(message)
            if message.feed == STATUS:
                return self._status(message, received_ns)
            route = self._route(message)
            bound = route.bound
            return self._feed_message(route, message)
        except Misread as fault:
            return self._unreadable(bound, fault, data)
        except Exception as error:  # noqa: BLE001 - no frame may stop a connection
            return self.unexpected(bound, error, data)

    def unexpected(self, bound: Bound | None, error: Exception, data: bytes) -> Events:
        """Turn a fault of our own into a dead letter that names it."""
        text = f"{type(error).__name__}: {error}"
        return self._unreadable(bound, Misread(Reason.UNEXPECTED, text), data)

    def update(self, bound: Bound, bids: list[Change], asks: list[Change]) -> Events:
        """Apply a book update and pass it on, unless it contradicts the book."""
        if fault := bound.book.apply(bids, asks, self.now_ns):
            return self._contradicted(bound, fault)
        bound.heard_ns = self.now_ns
        self.tally.data += 1
        return [Data(bound.channel, Action.UPDATE, None, (bids, asks))]

    def _route(self, head: Head) -> Route:
        feed_id = read(head.feed_id)
        route = self._routes.get((head.feed, canonical(feed_id)))
        if route is not None:
            return route
        if head.feed not in FEEDS:
            raise Misread(Reason.UNKNOWN_FEED, f"saw {shown(head.feed)}", "[0]")
        seen = f"saw {shown(feed_id)}, nothing of feed {head.feed} is bound so"
        raise Misread(Reason.UNKNOWN_SUBSCRIPTION, seen, "[1]")

    def _feed_message(self, route: Route, head: Head) -> Events:
        bound, feed, own = route
        if own and head.action in {"Z", "U"}:
            return self._answer(bound, head)
        if not bound.life.accepting:
            return self._discard(bound)
        if feed.book:
            return self._book_message(bound, head)
        if own and head.action == "S" and feed.snapshot is not None:
            return self._listed(bound, bound.begin(feed.snapshot(read(head.data))))
        if head.action not in feed.changes:
            raise _unknown_action(head)
        action, reading = feed.changes[head.action]
        return self._changed(bound, reading(read(head.data), action))

    def _book_message(self, bound: Bound, head: Head) -> Events:
        if head.action == "S":
            return self._snapshot(bound, *levels(head.data))
        if head.action != "M":
            raise _unknown_action(head)
        changed = updates(head.data)
        if bound.life.phase is not Phase.LIVE:
            return self._discard(bound)
        return self.update(bound, *changed)

    def _snapshot(self, bound: Bound, bids: list[Level], asks: list[Level]) -> Events:
        bids.sort(reverse=True)
        asks.sort()
        if fault := bound.book.replace(bids, asks, self.now_ns):
            return self._contradicted(bound, fault)
        both = [(0, *level) for level in bids], [(0, *level) for level in asks]
        data = Data(bound.channel, Action.SNAPSHOT, None, both)
        live = bound.act(bound.life.live(self.now_ns, Reason.SNAPSHOT))
        return self._passed(bound, [data, *live])

    def _listed(self, bound: Bound, events: list[Event]) -> Events:
        live = bound.act(bound.life.live(self.now_ns, Reason.SNAPSHOT))
        return self._passed(bound, [*events, *(live or bound.again())])

    def _changed(self, bound: Bound, items: list[Item]) -> Events:
        """Pass changes on; before the snapshot only those of streams that have none."""
        early = bound.life.phase is not Phase.LIVE
        if early and any(item.stream in bound.feed.listed for item in items):
            return self._discard(bound)
        return self._passed(bound, bound.records(items))

    def _passed(self, bound: Bound, events: list[Event]) -> Events:
        bound.heard_ns = self.now_ns
        self.tally.data += 1
        return events

    def _discard(self, bound: Bound) -> Events:
        bound.life.discard()
        self.tally.discarded += 1
        return []

    def _contradicted(self, bound: Bound, fault: str) -> Events:
        """Count the message as lost in the gap that it causes; rebind this binding."""
        steps: list[Step] = bound.life.broken(
            self.now_ns, Reason.CONTRADICTION, fault, lost=1
        )
        self.tally.discarded += 1
        return bound.act(steps)

    def _answer(self, bound: Bound, head: Head) -> Events:
        """Take an answer; a dropped binding learns nothing from it, readable or not."""
        dropped = bound.life.phase is Phase.ENDED
        steps = [] if dropped else self._learned(bound, head)
        self.tally.control += 1
        return bound.act(steps)

    def _learned(self, bound: Bound, head: Head) -> list[Step]:
        if head.action == "U":
            return bound.released(self.now_ns)
        failure = code(error_code(read(head.data)))
        return bound.refused(failure, self.now_ns)

    def _status(self, head: Head, received_ns: int) -> Events:
        if head.action != "Z":
            raise _unknown_action(head)
        events = self._on_status(error_code(read(head.data)), received_ns)
        self.tally.data += 1
        return events

    def _reply(self, message: Mapping[str, Any]) -> Events:
        events = self._on_reply(message)
        if events is None:
            raise _unknown_reply(message)
        self.tally.control += 1
        return events

    def _unreadable(self, bound: Bound | None, fault: Misread, data: bytes) -> Events:
        self.tally.unreadable += 1
        channel = None if bound is None else bound.channel
        letter = Unreadable(channel, fault.reason, fault.sentence, data)
        if bound is None:
            return [letter]
        steps = bound.life.broken(
            self.now_ns, Reason.UNREADABLE, fault.sentence, lost=1
        )
        return [letter, *bound.act(steps)]


def _unknown_action(head: Head) -> Misread:
    seen = f"saw {shown(head.action)}, which feed {head.feed} does not have"
    return Misread(Reason.UNKNOWN_ACTION, seen, "[2]")


def _unknown_reply(message: Mapping[str, Any]) -> Misread:
    if "error" in message:
        failure = code(error_code(message["error"]))
        return Misread(Reason.VENUE_ERROR, f"the venue answered {failure.label}")
    if "event" in message:
        seen = f"saw {shown(message['event'])}, expected the event of a reply"
        return Misread(Reason.UNKNOWN_ACTION, seen, ".event")
    seen = f"saw {shown(message)}, without an event"
    return Misread(Reason.NOT_A_MESSAGE, seen)
