"""What each venue says in the conversations that every session must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from bridge.core.model import (
    Data,
    Event,
    Events,
    Handshake,
    Mark,
    Now,
    Send,
    State,
    Tally,
)
from bridge.venues import VENUES
from bridge.venues.base import Context, Credentials, Session, Source, Wanted
from tests.unit.flow.carrier import carrier

SECOND = 1_000_000_000
# 2026-01-05 12:00:00 UTC, a Monday: every index is in its session.
START_MS = 1_767_614_400_000


class Sibling(NamedTuple):
    """A second binding on the same connection: its name and two messages."""

    name: str
    snapshot: str
    update: str


class Case(NamedTuple):
    """One venue's words; texts may hold {ms}, the present in Unix ms.

    `word` is in every request about the binding, and in none about its sibling.
    """

    source: Source
    greeting: tuple[str, ...]
    snapshot: str
    update: str
    refusal: str
    unsubscribed: tuple[str, ...]
    unbind: str
    word: str
    sibling: Sibling


def _source(venue: str, *names: str, **options: Any) -> Source:
    return Source(
        name="desk",
        venue=venue,
        url="ws://127.0.0.1:1/ws",
        wanted=tuple(map(_wanted, names)),
        options=options,
    )


def _wanted(name: str) -> Wanted:
    stream, _, feed_id = name.partition(":")
    return Wanted(stream=stream, feed_id=feed_id)


_ORDER = '["BTC-USD",0,0,0,1234,77,5990000000000,10000000,8000000,1709716088000,0]'

# Frames: Finery reference 3.3, 4.1, 4.10; CF Benchmarks reference 5 and 7.
CASES: Mapping[str, Case] = {
    "finery-book": Case(
        _source("finery", "book.tradable:BTC-USD"),
        ('["X",0,"Z",0]',),
        '["F","BTC-USD","S",[[[6000000000000,150000000]],[[6000100000000,80000000]]]]',
        '["F","BTC-USD","M",[[["M",6000000000000,30000000]],[]]]',
        '["F","BTC-USD","Z",34]',
        ('["F","BTC-USD","U",0]',),
        "unbind",
        '"BTC-USD"',
        Sibling(
            "book.tradable:BTC-EUR",
            '["F","BTC-EUR","S",[[[6000000000000,150000000]],[]]]',
            '["F","BTC-EUR","M",[[["M",6000000000000,30000000]],[]]]',
        ),
    ),
    "finery-list": Case(
        _source("finery", "orders"),
        ('["X",0,"Z",0]',),
        f'["O",0,"S",[{_ORDER}]]',
        f'["O",0,"+",{_ORDER}]',
        '["O",0,"Z",3]',
        ('["O",0,"U",0]',),
        "unbind",
        '"feed":"O"',
        Sibling(
            "positions",
            '["K",0,"S",[]]',
            '["K",0,"M",["BTC",-8000000,2,-8000000,-8000000]]',
        ),
    ),
    "cfbenchmarks": Case(
        _source("cfbenchmarks", "value:BRTI"),
        (),
        '{{"type":"value","time":{ms},"id":"BRTI","value":"79767.34"}}',
        '{{"type":"value","time":{ms},"id":"BRTI","value":"79767.35"}}',
        '{{"type":"subscribe","id":"BRTI","stream":"value","success":false,'
        '"reason":"Unknown id"}}',
        (),
        "unsubscribe",
        '"id":"BRTI"',
        Sibling(
            "value:ETHUSD_RTI",
            '{{"type":"value","time":{ms},"id":"ETHUSD_RTI","value":"2767.34"}}',
            '{{"type":"value","time":{ms},"id":"ETHUSD_RTI","value":"2767.35"}}',
        ),
    ),
}


class Talk:
    """One session, its time, and everything that it said."""

    def __init__(self, case: Case, *more: str) -> None:
        """Open a session of the case's only plan, with `more` subscriptions."""
        venue = VENUES[case.source.venue]
        wanted = (*case.source.wanted, *map(_wanted, more))
        source = msgspec.structs.replace(case.source, wanted=wanted)
        assert list(venue.problems(source)) == []
        (self.plan,) = venue.plans(source)
        self.case = case
        self.seconds = 1.0
        self.said: list[Event] = []
        self.frames = 0
        self.session: Session = venue.open(self.plan, context())
        self._carry = carrier(self.plan)

    def now(self) -> Now:
        """Return the present on both clocks."""
        elapsed_ns = int(self.seconds * SECOND)
        return Now(START_MS * 1_000_000 + elapsed_ns, elapsed_ns)

    def handshake(self) -> Handshake:
        """Return what would be sent to connect."""
        return self.session.handshake(self.now())

    def open(self) -> None:
        """Connect and let the venue greet."""
        self.handshake()
        self.take(self.session.opened(self.now()))
        for text in self.case.greeting:
            self.hear(text)

    def hear(self, text: str) -> list[Event]:
        """Receive one frame a hundredth of a second later; return what it caused."""
        self.seconds += 0.01
        now = self.now()
        if "{" in text and "{ms}" in text:
            text = text.format(ms=now.wall_ns // SECOND * 1000)
        elif text.startswith("{{"):
            text = text.format()
        self.frames += 1
        return self.take(self.session.receive(text.encode(), now.wall_ns))

    def wait(self, seconds: float, step: float = 0.1) -> list[Event]:
        """Let time pass in ticks; return what it caused."""
        said: list[Event] = []
        for _ in range(round(seconds / step)):
            self.seconds += step
            said += self.take(self.session.tick(self.now()))
        return said

    def take(self, events: Events) -> list[Event]:
        """Keep what the session said, and have it carried out."""
        self.said += self._carry(events)
        return list(events)

    def live(self) -> None:
        """Bring the subscription to life."""
        self.open()
        self.hear(self.case.snapshot)
        assert State.LIVE in self.states()

    def states(self) -> list[State]:
        """Return the states marked on the subscription under test, in order."""
        return [e.state for e in self.said if isinstance(e, Mark) and self.ours(e)]

    def ours(self, event: Mark | Data) -> bool:
        """Tell whether an event belongs to the binding under test."""
        return event.channel in self.plan.bindings[0].channels[:1]

    def sends(self) -> list[str]:
        """Return the texts sent to the venue."""
        return [e.text for e in self.said if isinstance(e, Send)]

    @property
    def tally(self) -> Tally:
        """Return the session's accounts."""
        return self.session.tally


def context(chance: Callable[[], float] = lambda: 0.5) -> Context:
    """Return a context with a login and nonces that increase."""
    nonces = iter(range(1, 1000))
    return Context(
        credentials=Credentials(key="user-1", secret="secret-1"),
        chance=chance,
        nonce=lambda: next(nonces),
    )
