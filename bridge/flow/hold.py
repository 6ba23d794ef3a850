"""What a connection would write, kept until it may: it is to take over from another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from bridge.core.model import Data, Events, Mark, State, Unreadable

# Far more than a connection gets until its last snapshot is there; then it is given up.
MOST_EVENTS = 10_000

WRITTEN = (Data, Mark, Unreadable)
SETTLED = frozenset({State.LIVE, State.STALE, State.REFUSED, State.ENDED})
"""States of a subscription that the first answer of the venue can lead to."""

Receive = Callable[[bytes, int], Events]


class Kept(NamedTuple):
    """One event, when it came (Unix ns), and the frame that it came from, if any."""

    event: Data | Mark | Unreadable
    at_ns: int
    raw: bytes


class Hold:
    """Keeps what is to be written, in order; everything else passes."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.kept: list[Kept] = []
        self.frames = 0
        self._states: dict[int, State] = {}
        self._forgotten: frozenset[int] = frozenset()

    @property
    def full(self) -> bool:
        """Tell whether more is kept than a take-over should wait for."""
        return len(self.kept) >= MOST_EVENTS

    def settled(self, channel: int) -> bool:
        """Tell whether a subscription waits for nothing more."""
        return channel in self._forgotten or self._states.get(channel) in SETTLED

    def around(self, receive: Receive) -> Receive:
        """Return `receive`, but for what is kept of each frame."""

        def held(data: bytes, received_ns: int) -> Events:
            before = len(self.kept)
            passing = self.keep(receive(data, received_ns), received_ns, data)
            self.frames += len(self.kept) > before
            return passing

        return held

    def keep(self, events: Events, at_ns: int, raw: bytes = b"") -> Events:
        """Keep what is to be written; return what takes effect at once."""
        passing = []
        for event in events:
            if isinstance(event, WRITTEN):
                self.kept.append(Kept(event, at_ns, raw))
            else:
                passing.append(event)
            if isinstance(event, Mark):
                self._states[event.channel] = event.state
        return passing

    def replay(self, write: Callable[[Kept], bool]) -> None:
        """Have everything written; behind a False of its subscription all is void."""
        broken: set[int | None] = set()
        for kept in self.kept:
            if kept.event.channel not in broken and not write(kept):
                broken.add(kept.event.channel)

    def forget(self, channels: Collection[int]) -> None:
        """Let subscriptions go of which nothing was written: they never began."""
        self._forgotten = frozenset(channels)
        self.kept = [k for k in self.kept if k.event.channel not in self._forgotten]
