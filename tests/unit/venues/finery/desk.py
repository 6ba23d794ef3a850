"""A session with hand-made time, and its events in words."""

from __future__ import annotations

from typing import Any

from bridge.core.model import (
    Action,
    Close,
    Data,
    Event,
    Events,
    Mark,
    Now,
    Plan,
    Send,
    Unreadable,
)
from bridge.venues.base import Context, Credentials, Source, Wanted
from bridge.venues.finery import VENUE
from bridge.venues.finery.session import FinerySession
from tests.unit.flow.carrier import carrier

SECOND_NS = 1_000_000_000
START_MS = 1_709_716_000_000
UP = '["X",0,"Z",0]'
DOWN = '["X",0,"Z",2]'

Said = tuple[Any, ...]


def wanted(text: str, label: str = "", **options: Any) -> Wanted:
    """Return a wanted subscription from its name."""
    stream, _, feed_id = text.partition(":")
    stale = options.pop("stale_after_ms", None)
    return Wanted(
        stream=stream,
        feed_id=feed_id,
        label=label,
        stale_after_ms=stale,
        options=options,
    )


def source(*subscriptions: str | Wanted, **options: Any) -> Source:
    """Return a source that wants these subscriptions."""
    return Source(
        name="desk",
        venue="finery",
        url="wss://venue.test/ws",
        wanted=tuple(wanted(w) if isinstance(w, str) else w for w in subscriptions),
        options=options,
    )


class Desk:
    """One plan's session; every call returns its events in words."""

    def __init__(
        self, *subscriptions: str | Wanted, refresh_s: float = 1e6, **options: Any
    ) -> None:
        """Make the one plan of these subscriptions, and its session."""
        (self.plan,) = VENUE.plans(source(*subscriptions, **options))
        self.nonces = iter(range(7, 1000))
        context = Context(
            credentials=Credentials(key="public", secret="made-up"),
            chance=lambda: 0.5,
            nonce=lambda: next(self.nonces),
            refresh_s=refresh_s,
        )
        opened = VENUE.open(self.plan, context)
        assert isinstance(opened, FinerySession)
        self.session = opened
        self.seconds = 1000.0
        self.heard: list[Event] = []
        self._carry = carrier(self.plan)

    @property
    def now(self) -> Now:
        """Return both clocks."""
        mono_ns = int(self.seconds * SECOND_NS)
        return Now(START_MS * 1_000_000 + mono_ns, mono_ns)

    def opened(self) -> list[Said]:
        """Open the connection."""
        return self.words(self.session.opened(self.now))

    def up(self) -> list[Said]:
        """Open the connection, and let the venue say that it is up."""
        return self.opened() + self.frame(UP)

    def frame(self, text: str | bytes) -> list[Said]:
        """Receive one frame."""
        data = text.encode() if isinstance(text, str) else text
        return self.words(self.session.receive(data, self.now.wall_ns))

    def live(self, *frames: str) -> Desk:
        """Connect and receive the frames; return itself."""
        self.up()
        for frame in frames:
            self.frame(frame)
        return self

    def tick(self, seconds: float = 0.1) -> list[Said]:
        """Let time pass in one step."""
        self.seconds += seconds
        return self.words(self.session.tick(self.now))

    def cut(self) -> list[Said]:
        """Let Kafka be away for too long."""
        return self.words(self.session.cut(self.now))

    def heal(self) -> list[Said]:
        """Let Kafka be back."""
        return self.words(self.session.heal(self.now))

    def lost(self, name: str, count: int) -> list[Said]:
        """Report lost records of a subscription."""
        names = [subscription.name for subscription in self.plan.subscriptions]
        events = self.session.lost(names.index(name), count, self.now, "not acked")
        return self.words(events)

    def words(self, events: Events) -> list[Said]:
        """Have the events carried out; return them as a person can write them down."""
        self.heard += self._carry(events)
        return [_said(event, self.plan) for event in events]

    def phases(self) -> dict[str, str]:
        """Return each binding's phase."""
        return {d["name"]: d["phase"] for d in self.session.describe(self.now)}


def _said(event: Event, plan: Plan) -> Said:
    match event:
        case Data(channel, action, key, values):
            subscription = plan.subscriptions[channel]
            name = Action(action).name
            return subscription.name, name, key or subscription.key, values
        case Mark(channel, state, reason, detail, lost):
            facts = [str(reason), *([detail] if detail or lost else [])]
            facts += [] if lost is None else [lost]  # type: ignore[list-item]
            return plan.subscriptions[channel].name, state.name, *facts
        case Send(text):
            return "send", text
        case Unreadable(channel, reason, error, _):
            name = "" if channel is None else plan.subscriptions[channel].name
            return "unreadable", name, str(reason), error
        case Close(reason, detail, refused):
            return "close", str(reason), detail, refused
        case _:
            raise AssertionError(event)
