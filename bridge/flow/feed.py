"""One planned connection's life, again and again: sign, connect, serve, wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Mapping
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from bridge.core.backoff import Backoff
from bridge.core.model import Closed, Handshake, Now, Plan, Reason, Receiver, Transport
from bridge.edge.websocket import UpgradeRefused
from bridge.errors import VenueError, VenueRefused, VenueUnreachable
from bridge.flow.connection import Connection, Log
from bridge.flow.pacer import Clock, Pacer
from bridge.venues.base import Session

STABLE_NS = 30_000_000_000
REFUSED_RETRY_S = 60.0

T = TypeVar("T")


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

    def session(self, plan: Plan, resume: Mapping[str, int]) -> Session:
        """Make the session of one attempt."""

    def connection(self, plan: Plan, session: Session) -> Connection:
        """Make the connection of one attempt, with an id and lanes of its own."""

    def backoff(self) -> Backoff:
        """Make the reconnect delays of one feed."""

    def connect(self, handshake: Handshake, receiver: Receiver) -> Awaitable[Transport]:
        """Open a transport; raises VenueUnreachable or UpgradeRefused."""


async def first(
    one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, Any]
) -> T | None:
    """Return the result of `one`, or None if `other` ends first; cancels the loser."""
    wanted, rival = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        await asyncio.wait({wanted, rival}, return_when=asyncio.FIRST_COMPLETED)
        return wanted.result() if wanted.done() else None
    finally:
        for task in (wanted, rival):
            task.cancel()
        await asyncio.gather(wanted, rival, return_exceptions=True)


class Feed:
    """Keeps the connection of one plan up until it is told to stop.

    `reason` is what the last boundaries will give; it is set before the stop.
    """

    def __init__(self, plan: Plan, parts: Parts, pacer: Pacer) -> None:
        """Prepare; nothing is opened before `run`."""
        self.plan = plan
        self.reason = Reason.STOPPED
        self.reconnects = 0
        self.trouble = "not connected yet"
        self._parts = parts
        self._pacer = pacer
        self._backoff = parts.backoff()
        self._resume: Mapping[str, int] = {}
        self._connection: Connection | None = None
        self._abandoned = asyncio.Event()

    @property
    def connection(self) -> Connection | None:
        """Return the open connection, if there is one."""
        connection = self._connection
        return connection if connection is not None and connection.alive else None

    def drop(self, names: Collection[str], plan: Plan, reason: Reason) -> None:
        """Let bindings go at once; `plan`, without them, holds from the next attempt.

        The channels of `plan` may differ from those of the open connection.
        """
        self.plan = plan
        if self._connection is not None:
            self._connection.drop(names, reason, self._parts.clock.now())

    def abandon(self) -> None:
        """Write nothing from this moment on, drop the connection, and end `run`."""
        self._abandoned.set()
        if self._connection is not None:
            self._connection.silence()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; raises VenueRefused if the first login is refused."""
        if not self._abandoned.is_set():
            await first(self._run(stop), self._abandoned.wait())

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await first(self._parts.may_connect(), stop.wait())
            if stop.is_set():
                return
            wait_s = await self._attempt(stop)
            if stop.is_set():
                return
            self.reconnects += 1
            await first(self._parts.clock.sleep(wait_s), stop.wait())

    async def _attempt(self, stop: asyncio.Event) -> float:
        """Serve one connection; return the seconds to wait before the next."""
        session = self._parts.session(self.plan, self._resume)
        try:
            await self._serve(session, stop)
        except VenueRefused as error:
            return self._refused(error)
        except VenueError as error:
            self.trouble = str(error)
        if stop.is_set() or self._abandoned.is_set():
            return 0.0
        wait_s = self._backoff.failed()
        self._log("disconnected", detail=self.trouble, retry_s=round(wait_s, 3))
        return wait_s

    async def _serve(self, session: Session, stop: asyncio.Event) -> None:
        """Open and hold a connection; `held` is undone however that ends."""
        connection = self._parts.connection(self.plan, session)
        self._connection = connection
        with ExitStack() as held:
            held.callback(connection.silence)
            transport = await first(self._open(connection, held), stop.wait())
            if transport is not None and not self._abandoned.is_set():
                await self._hold(connection, transport, stop)

    async def _open(self, connection: Connection, held: ExitStack) -> Transport:
        """Connect when there is a place; what was taken is in `held` at once."""
        session = connection.session
        await self._place(held)
        handshake = session.handshake(self._parts.clock.now())
        try:
            transport = await self._parts.connect(handshake, connection)
        except UpgradeRefused as error:
            connection.ended("REFUSED")
            raise session.refused(error.status, error.body) from error
        except VenueUnreachable:
            connection.ended("UNREACHABLE")
            raise
        held.callback(transport.abort)
        return transport

    async def _place(self, held: ExitStack) -> None:
        url, before = self.plan.url, self.trouble
        if full := self._pacer.full(url):
            self.trouble = full
            self._log("connection_limit", detail=full)
        await self._pacer.turn(url)
        held.callback(self._pacer.done, url)
        self.trouble = before

    async def _hold(
        self, connection: Connection, transport: Transport, stop: asyncio.Event
    ) -> None:
        self._join(connection, transport)
        try:
            closed = await first(transport.wait_closed(), stop.wait())
        finally:
            told = self._parts.left(connection)
        await self._leave(connection, transport, closed, told)

    def _join(self, connection: Connection, transport: Transport) -> None:
        now = self._parts.clock.now()
        self.trouble = ""
        self._opened_ns = now.mono_ns
        self._log("connected", connection=connection.outlet.connection)
        connection.attach(transport, now)
        self._parts.joined(connection, now)

    async def _leave(
        self,
        connection: Connection,
        transport: Transport,
        closed: Closed | None,
        told: str,
    ) -> None:
        session = connection.session
        self._log_told(told)
        self._resume = session.positions()
        if closed is None:
            connection.finish(session.stop(self.reason))
            await transport.close()
            return
        connection.ended("CLOSED")
        closing = connection.closing
        self.trouble = closing.detail if closing else f"{closed.detail} ({closed.code})"
        connection.finish(session.closed("; ".join(filter(None, (self.trouble, told)))))
        if self._lasted(session):
            self._backoff.stable()
        if closing is not None and closing.refused:
            raise VenueRefused(self.plan.source, closing.detail)

    def _log_told(self, told: str) -> None:
        if told:
            self._log("connection_took", detail=told)

    def _lasted(self, session: Session) -> bool:
        """Tell whether the connection carried data and lived for a stable period."""
        age_ns = self._parts.clock.now().mono_ns - self._opened_ns
        return session.tally.data > 0 and age_ns > STABLE_NS

    def _refused(self, error: VenueRefused) -> float:
        """Give up if the venue never let us in; else try again, rarely."""
        self.trouble = str(error)
        if not self._parts.welcome(self.plan.source):
            raise error
        self._log("refused", detail=self.trouble, retry_s=REFUSED_RETRY_S)
        return REFUSED_RETRY_S

    def _log(self, event: str, **facts: object) -> None:
        self._parts.log(event, source=self.plan.source, name=self.plan.name, **facts)
