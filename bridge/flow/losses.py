"""Records that Kafka never took: each one becomes an announced gap.

Delivery reports name no subscription, so the header of the lost value is read. Losses
are gathered by subscription and reported from the worker's pulse, never from within
librdkafka's callback. What runs here no more has another writer, or none: its losses
are logged, since the gap is not this worker's to announce.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from bridge.core.model import Now, Plan
from bridge.edge.fates import Left
from bridge.flow.connection import Connection, Log
from bridge.flow.lost import Lost
from bridge.flow.outlet import FeedStates, state_key

AGAIN_NS = 1_000_000_000


class Failure(Protocol):
    """A record that was not delivered."""

    @property
    def topic(self) -> str:
        """Return the topic it was meant for."""

    @property
    def key(self) -> bytes:
        """Return its key."""

    @property
    def value(self) -> bytes:
        """Return its value."""

    @property
    def code(self) -> str:
        """Return Kafka's name for the cause."""


class Loss(NamedTuple):
    """Whose records failed, and why; `connection` wrote them, empty if not known.

    The plan's name stands for what belongs to no single subscription.
    """

    source: str
    subscription: str
    connection: str
    code: str
    topic: str


class Losses:
    """Gathers failed deliveries and hands them to the connections concerned."""

    def __init__(
        self,
        connections: set[Connection],
        owner: Callable[[bytes], tuple[str, str, str]],
        states: Callable[[], FeedStates],
        dead_letter_topic: str,
        log: Log,
    ) -> None:
        """Know of no plan; `plans` is set to what returns those that run here.

        `owner` reads source, subscription and connection from a record's value.
        """
        self.total = 0
        self.plans: Callable[[], Iterable[Plan]] = lambda: ()
        self._connections = connections
        self._owner = owner
        self._states = states
        self._dead_letter_topic = dead_letter_topic
        self._log = log
        self._refused: Counter[str] = Counter()
        self._again_ns = 0
        self._waiting: Counter[Loss] = Counter()
        self._bytes: Counter[Loss] = Counter()  # of what waits
        self._lost = Lost()

    def failed(self, failure: Failure) -> None:
        """Note one undelivered record; safe inside a delivery report."""
        self.total += 1
        if failure.topic == self._states().topic:
            self._states().failed(failure.key, failure.value)
            self._refused[failure.code] += 1
            return
        loss = Loss(*self._origin(failure), failure.code, failure.topic)
        self._waiting[loss] += 1
        self._bytes[loss] += len(failure.key) + len(failure.value)

    def drain(self, now: Now) -> None:
        """Announce what was gathered; keep what has to wait for a connection."""
        if self._refused and now.mono_ns >= self._again_ns:
            self._send_states_again(now)
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, Counter()
        left = [one for one in waiting.items() if not self._announce(*one, now)]
        awaited = self._awaited() if left else set()
        for loss, count in left:
            if (loss.source, loss.subscription) in awaited:
                self._waiting[loss] += count
            else:
                self._lose(loss, count)

    def stopping(self) -> None:
        """Count from here on what the stop loses."""
        self._lost.begin()

    def close(self, left: Left) -> Left:
        """Tell what nobody announces any more; return it with what a flush has left."""
        waiting, self._waiting = self._waiting, Counter()
        for loss, count in waiting.items():
            self._lose(loss, count)
        states = self._states()
        for key, sent in states.missing.items():
            self._log("feed_state_given_up", level="warning", key=key.decode())
            if sent.last:  # else another worker writes a newer one
                self._lost.add(states.topic, 1, len(key) + len(sent.value))
        return self._lost.beside(left)

    def _send_states_again(self, now: Now) -> None:
        """Kafka may refuse them again at once, so not more often than once a second.

        What runs here no more is left to the worker that has it.
        """
        refused, self._refused = self._refused, Counter()
        self._again_ns = now.mono_ns + AGAIN_NS
        for code, count in sorted(refused.items()):
            self._log("feed_state_lost", level="warning", count=count, code=code)
        running = {state_key(source, name) for source, name in self._awaited()}
        for key in self._states().send_again(running):
            self._log("feed_state_given_up", level="warning", key=key.decode())

    def _origin(self, failure: Failure) -> tuple[str, str, str]:
        if failure.topic == self._dead_letter_topic:
            source, _, name = failure.key.decode().partition("/")
            return source, name, ""
        return self._owner(failure.value)

    def _awaited(self) -> set[tuple[str, str]]:
        """Return what has a connection, or will have one again."""
        return {
            (plan.source, name)
            for plan in self.plans()
            for name in (plan.name, *(one.name for one in plan.subscriptions))
        }

    def _announce(self, loss: Loss, count: int, now: Now) -> bool:
        for connection in self._of(loss.source):
            detail = _detail(loss, connection.outlet.connection)
            if connection.lost(loss.subscription, count, detail, now):
                del self._bytes[loss]
                self._tell("lost", loss, count)
                return True
        return False

    def _lose(self, loss: Loss, count: int) -> None:
        self._lost.add(loss.topic, count, self._bytes.pop(loss))
        self._tell("lost_unannounced", loss, count)

    def _tell(self, event: str, loss: Loss, count: int) -> None:
        self._log(event, **{"level": "warning", "count": count, **loss._asdict()})

    def _of(self, source: str) -> Iterable[Connection]:
        return [c for c in self._connections if c.plan.source == source and c.alive]


def _detail(loss: Loss, connection: str) -> str:
    """Return why; and under which connection, where another one announces it."""
    if loss.connection in ("", connection):
        return loss.code
    return f"{loss.code}, under connection {loss.connection}"
