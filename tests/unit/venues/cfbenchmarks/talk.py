"""A session in a test: frames in, events out, with a clock that the test moves.

A real connection carries every event out, so none may be what cannot be written.
"""

import json
from collections.abc import Mapping
from typing import Any

from bridge.core.model import (
    Action,
    Close,
    Data,
    Event,
    Events,
    Mark,
    Note,
    Now,
    Send,
    State,
    Unreadable,
)
from bridge.venues.base import Context, Credentials, Source, Wanted
from bridge.venues.cfbenchmarks import VENUE
from tests.unit.flow.carrier import carrier

URL = "wss://www.cfbenchmarks.com/ws/v4"
T = 1579264280000  # the manual's example, a Friday, 12:31:20 UTC
DELAY = 80  # ms; normal lateness is 30 to 120 ms ("Timestamps, rate and lateness")
MONO = 500_000  # ms; a clock that has nothing to do with Unix time


def wanted(name: str, **options: Any) -> Wanted:
    """Read `value:BRTI` as the settings do."""
    stream, _, index = name.partition(":")
    stale = options.pop("stale_after_ms", None)
    return Wanted(stream=stream, feed_id=index, stale_after_ms=stale, options=options)


def source(*names: str | Wanted, url: str = URL, **options: Any) -> Source:
    """Return a source with these subscriptions."""
    lines = tuple(n if isinstance(n, Wanted) else wanted(n) for n in names)
    return Source(
        name="rates", venue="cfbenchmarks", url=url, wanted=lines, options=options
    )


def context(
    key: str = "abc", secret: str = "123", resume: Mapping[str, int] | None = None
) -> Context:
    """Return what a session is given; chance always says 0."""
    return Context(
        credentials=Credentials(key=key, secret=secret),
        chance=lambda: 0.0,
        nonce=lambda: 1,
        options={"resume": resume or {}},
    )


class Talk:
    """One session, opened at `T` unless told otherwise."""

    def __init__(
        self,
        *names: str | Wanted,
        resume: Mapping[str, int] | None = None,
        at: int = T,
        url: str = URL,
    ) -> None:
        """Open a session for these subscriptions."""
        self.plan = VENUE.plans(source(*names or ("value:BRTI",), url=url))[0]
        self.session = VENUE.open(self.plan, context(resume=resume))
        self._zero = at
        self.ms = at
        self.session.handshake(self.now)
        self._carry = carrier(self.plan)
        self.start = self._carry(self.session.opened(self.now))

    @property
    def now(self) -> Now:
        """The present on both clocks."""
        return Now(self.ms * 10**6, (self.ms - self._zero + MONO) * 10**6)

    def say(self, text: str | bytes, at: int | None = None) -> Events:
        """Let the venue send a message, received at `at` (default now)."""
        self.ms = max(self.ms, at or self.ms)
        data = text.encode() if isinstance(text, str) else text
        return self._carry(self.session.receive(data, (at or self.ms) * 10**6))

    def value(self, time: int, text: str = "8835.56", **more: Any) -> Events:
        """Let the venue send a BRTI value 80 ms after its time, or at `at`."""
        index, at = more.pop("id", "BRTI"), more.pop("at", time + DELAY)
        frame = {"type": "value", "time": time, "id": index, "value": text, **more}
        return self.say(json.dumps(frame, separators=(",", ":")), at)

    def second(self, *steps: int) -> list[Event]:
        """Let ticks of BRTI come at these seconds after `T`, and time pass."""
        events: list[Event] = []
        for step in steps:
            events += self.value(T + step * 1000)
            events += self.tick(0)
        return events

    def tick(self, ms: int) -> Events:
        """Let `ms` pass in one go."""
        self.ms += ms
        return self._carry(self.session.tick(self.now))

    def wait(self, ms: int) -> list[Event]:
        """Let `ms` pass with ten ticks a second."""
        return [e for _ in range(ms // 100) for e in self.tick(100)]


def story(events: Events) -> list[str]:
    """Tell events in words: `SNAPSHOT`, `LIVE SNAPSHOT`, `> subscribe BRTI`."""
    return [line for e in events for line in _line(e)]


def _line(event: Event) -> list[str]:
    match event:
        case Data(action=action):
            return [Action(action).name]
        case Mark(state=state, reason=reason):
            return [f"{state.name} {reason}"]
        case Send(text=text):
            command = json.loads(text)
            return [f"> {command['type']} {command.get('id', '')}".rstrip()]
        case Close(reason=reason):
            return [f"close {reason}"]
        case Note(event=name):
            return [f"note {name}"]
        case _:
            assert isinstance(event, Unreadable)
            return [f"unreadable {event.reason}"]


def payloads(events: Events) -> list[tuple[Any, ...]]:
    """Return the data records' payloads."""
    return [e.values[0] for e in events if isinstance(e, Data)]


def gaps(events: Events) -> list[tuple[str, int | None]]:
    """Return detail and count of each gap."""
    marks = [e for e in events if isinstance(e, Mark) and e.state is State.GAP]
    return [(m.detail, m.lost) for m in marks]
