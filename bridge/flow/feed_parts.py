"""What a feed is given from outside: the seam to the app."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

from bridge.core.backoff import Backoff
from bridge.core.model import Handshake, Now, Plan, Receiver, Transport
from bridge.flow.connection import Connection, Log
from bridge.flow.pacer import Clock
from bridge.venues.base import Session


class Parts(Protocol):
    """What a feed is given by the app; all of it shared between feeds."""

    @property
    def clock(self) -> Clock:
        """Return the time."""

    @property
    def log(self) -> Log:
        """Return the log."""

    async def may_connect(self) -> None:
        """Wait until a new connection makes sense."""

    def joined(self, connection: Connection, now: Now) -> None:
        """Take note of a connection that has just been opened."""

    def welcome(self, source: str) -> bool:
        """Tell whether the venue has ever let this account in, on any connection."""

    def left(self, connection: Connection) -> str:
        """Take note of a connection that is over; its last words come after.

        Returns what else its boundaries should tell, empty for nothing.
        """

    def may_take_over(self, old: Connection, new: Connection) -> str:
        """Return why `new` must not take the place of `old` now, empty if it may."""

    def session(self, plan: Plan, resume: Mapping[str, int]) -> Session:
        """Make the session of one attempt."""

    def connection(self, plan: Plan, session: Session) -> Connection:
        """Make the connection of one attempt, with an id and lanes of its own."""

    def backoff(self) -> Backoff:
        """Make the reconnect delays of one feed."""

    def connect(self, handshake: Handshake, receiver: Receiver) -> Awaitable[Transport]:
        """Open a transport; raises VenueUnreachable or UpgradeRefused."""
