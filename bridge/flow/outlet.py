"""One connection's way to Kafka: records, boundaries, feed states, dead letters."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import NamedTuple, Protocol

from bridge.core.model import (
    Action,
    Data,
    Headers,
    Mark,
    Plan,
    Reason,
    State,
    Subscription,
    Unreadable,
)
from bridge.core.tallies import Tallies
from bridge.flow.lanes import Lane, Route


class Out(Protocol):
    """What an outlet needs of the producer."""

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int,
        timestamp_ms: int,
        headers: Headers | None = None,
    ) -> None:
        """Queue one record; never blocks, never raises for a full queue."""

    def send_watched(
        self, topic: str, value: bytes, key: bytes, partition: int, timestamp_ms: int
    ) -> None:
        """Queue one record that a handover waits for."""


class Ledger:
    """What one worker wrote; every received frame is in `frames` exactly once.

    `tallies` counts the same by name, where a name matters.
    """

    COUNTS = ("dead_letters", "discarded", "frames", "gaps", "marks", "records")
    __slots__ = (*COUNTS, "tallies")

    def __init__(self, tallies: Tallies | None = None) -> None:
        """Start at zero."""
        self.tallies = tallies or Tallies()
        self.frames = 0
        self.records = 0
        self.marks = 0
        self.gaps = 0
        self.dead_letters = 0
        self.discarded = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.COUNTS}


class DeadLetters:
    """Writes raw frames to the dead-letter topic, in parts that any broker takes.

    Headers: `reason`, `error`, `source`, `subscription`, `connection`, `received_ns`,
    and `part` as `1/3`; the parts of one frame follow each other in one partition.
    """

    def __init__(self, out: Out, topic: str, part_bytes: int) -> None:
        """Split frames at `part_bytes`, well below the broker's message limit."""
        self._out = out
        self._topic = topic
        self._part_bytes = part_bytes

    def send(
        self, origin: str, facts: dict[str, str], raw: bytes, received_ns: int
    ) -> None:
        """Write `raw` with `facts` as headers; `origin` is the key."""
        parts = max(1, -(-len(raw) // self._part_bytes))
        for index in range(parts):
            piece = raw[index * self._part_bytes : (index + 1) * self._part_bytes]
            named = {**facts, "part": f"{index + 1}/{parts}"}
            headers: Headers = [(name, text.encode()) for name, text in named.items()]
            self._out.send(
                self._topic,
                piece,
                origin.encode(),
                0,
                received_ns // 1_000_000,
                headers,
            )


class Sent(NamedTuple):
    """A state as it was sent; `last`: no other worker writes one after it."""

    value: bytes
    timestamp_ms: int
    last: bool


class FeedStates:
    """Writes the last boundary of every subscription to the compacted state topic."""

    def __init__(
        self,
        out: Out,
        topic: str,
        place: Callable[[bytes], int],
        encode: Callable[[tuple[object, ...]], bytes],
        worker: str,
        *,
        shared: bool = True,
    ) -> None:
        """Keep the newest state by key, so that a failed one can be sent again.

        `shared` tells whether workers take subscriptions over from each other.
        """
        self._out = out
        self.topic = topic
        self._place = place
        self._encode = encode
        self._worker = worker
        self._shared = shared
        self._newest: dict[bytes, Sent] = {}
        self._missing: set[bytes] = set()

    def write(
        self,
        lane: Lane,
        connection: str,
        mark: Mark,
        written_ns: int,
        *,
        shared: bool = True,
    ) -> None:
        """Publish the boundary that `lane` has just written.

        `shared` tells whether another worker may have the subscription later.
        """
        subscription = lane.subscription
        key = state_key(subscription.source, subscription.name)
        value = self._encode(
            (
                subscription.source,
                subscription.name,
                connection,
                self._worker,
                lane.topic,
                lane.partition,
                lane.sequence - 1,
                written_ns // 1000,
                (int(mark.state), str(mark.reason), mark.detail, mark.lost),
            )
        )
        # After any other end a worker of the group goes on with it, at once.
        over = mark.state is State.ENDED and mark.reason is Reason.UNSUBSCRIBED
        last = over or not (shared and self._shared)
        self._newest[key] = Sent(value, written_ns // 1_000_000, last)
        self._send(key)

    def place(self, subscription: Subscription) -> tuple[str, int]:
        """Return the topic and the partition where a subscription's states lie."""
        key = state_key(subscription.source, subscription.name)
        return self.topic, self._place(key)

    def failed(self, key: bytes, value: bytes) -> None:
        """Keep what did not arrive for `send_again`, unless a newer one replaced it."""
        if key in self._newest and self._newest[key].value == value:
            self._missing.add(key)

    @property
    def missing(self) -> Mapping[bytes, Sent]:
        """Return the states that did not arrive and were not sent again, by key."""
        return {key: self._newest[key] for key in sorted(self._missing)}

    def send_again(self, running: Container[bytes]) -> list[bytes]:
        """Send what is missing; return the keys of what another worker may write now.

        Those are given up: Kafka would keep our old state over that worker's.
        """
        missing, self._missing = self._missing, set()
        kept = {key for key in missing if key in running or self._newest[key].last}
        for key in sorted(kept):
            self._send(key)
        return sorted(missing - kept)

    def _send(self, key: bytes) -> None:
        value, timestamp_ms, _ = self._newest[key]
        place = self._place(key)
        self._out.send_watched(self.topic, value, key, place, timestamp_ms)


def state_key(source: str, name: str) -> bytes:
    """Return the key of a subscription's states."""
    return f"{source}/{name}".encode()


class Sinks(NamedTuple):
    """Where the outlets of one worker write."""

    out: Out
    dead_letters: DeadLetters
    states: FeedStates
    ledger: Ledger


class Outlet:
    """The lanes of one connection; every event that becomes a record passes here."""

    def __init__(
        self,
        plan: Plan,
        connection: str,
        route: Callable[[Subscription], Route],
        sinks: Sinks,
    ) -> None:
        """Open a lane for each subscription of `plan`; `route` says where to."""
        self.plan = plan
        self.connection = connection
        self.lanes = [Lane(s, connection, route(s)) for s in plan.subscriptions]
        self._send = sinks.out.send
        self._send_watched = sinks.out.send_watched
        self._dead_letters = sinks.dead_letters
        self._states = sinks.states
        self._ledger = sinks.ledger

    def data(self, event: Data, received_ns: int) -> None:
        """Write one data record."""
        lane = self.lanes[event.channel]
        key = event.key
        self._send(
            lane.topic,
            lane.data(received_ns // 1000, event.action, event.values),
            lane.key if key is None else key.encode(),
            lane.partition,
            received_ns // 1_000_000,
        )
        self._ledger.records += 1

    def mark(self, event: Mark, written_ns: int) -> None:
        """Write one boundary record and the feed state that follows from it."""
        lane = self.lanes[event.channel]
        value = lane.mark(written_ns // 1000, Action.BOUNDARY, event)
        at_ms = written_ns // 1_000_000
        self._send_watched(lane.topic, value, lane.key, lane.partition, at_ms)
        # An order connection has nothing bound, and is never another worker's.
        shared = bool(self.plan.bindings)
        self._states.write(lane, self.connection, event, written_ns, shared=shared)
        self._ledger.marks += 1
        self._ledger.tallies.marked(self.plan.source, lane.subscription.name, event)

    def facts(self, mark: Mark) -> dict[str, object]:
        """Return what a log line tells of a boundary."""
        return {
            "source": self.plan.source,
            "subscription": self.plan.subscriptions[mark.channel].name,
            "connection": self.connection,
            "state": mark.state.name,
            "reason": str(mark.reason),
            "detail": mark.detail,
            "lost": mark.lost,
        }

    def dead_letter(self, event: Unreadable, received_ns: int) -> None:
        """Write the raw frame with the reason why it could not be read."""
        name = ""
        if event.channel is not None:
            name = self.lanes[event.channel].subscription.name
        facts = {
            "reason": str(event.reason),
            "error": event.error,
            "source": self.plan.source,
            "subscription": name,
            "connection": self.connection,
            "received_ns": str(received_ns),
        }
        origin = f"{self.plan.source}/{name or self.plan.name}"
        self._dead_letters.send(origin, facts, event.raw, received_ns)
        self._ledger.dead_letters += 1
        self._ledger.tallies.dead_letters[self.plan.source, str(event.reason)] += 1
