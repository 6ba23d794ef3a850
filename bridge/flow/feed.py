"""One planned connection's life, again and again: sign, connect, serve, wait.

While one connection serves, a second one may be opened to take over from it: `renew`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import ExitStack

from bridge.core.model import Closed, Now, Plan, Reason, Transport
from bridge.edge.websocket import UpgradeRefused
from bridge.errors import BridgeError, VenueError, VenueRefused, VenueUnreachable
from bridge.flow.connection import Connection
from bridge.flow.feed_parts import Parts
from bridge.flow.pacer import Pacer
from bridge.flow.race import first
from bridge.flow.succession import Opened, Succession, resumed
from bridge.venues.base import Session

STABLE_NS = 30_000_000_000
REFUSED_RETRY_S = 60.0
LOOK_S = 0.02


class Feed:
    """Keeps the connection of one plan up until it is told to stop.

    `reason` is what the last boundaries will give; it is set before the stop.
    """

    _opened: Opened

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
        self._next: Connection | None = None
        self._signed_ns = -1
        self._asked = asyncio.Event()
        self._told: asyncio.Future[BridgeError | None] | None = None
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
        for connection in filter(None, (self._connection, self._next)):
            connection.drop(names, reason, self._parts.clock.now())

    def abandon(self) -> None:
        """Write nothing from this moment on, drop the connection, and end `run`."""
        self._abandoned.set()
        for connection in filter(None, (self._connection, self._next)):
            connection.silence()

    async def renew(self, since_ns: int) -> None:
        """Replace a connection whose login was read before `since_ns`, without a break.

        Returns when another one is in use; at once where none is open, since the next
        attempt reads the login afresh, and is made now. The time is monotonic.

        Raises:
            BridgeError: no second connection took over; the first one goes on.
        """
        if self._signed_ns >= since_ns:
            return
        if self._told is None:
            self._asked.set()
        if self.connection is None:
            return
        self._told = self._told or asyncio.get_running_loop().create_future()
        if error := await asyncio.shield(self._told):
            raise error

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
            pause = first(self._parts.clock.sleep(wait_s), self._asked.wait())
            await first(pause, stop.wait())

    async def _attempt(self, stop: asyncio.Event) -> float:
        """Serve one connection; return the seconds to wait before the next."""
        self._asked.clear()
        self._signed_ns = self._parts.clock.now().mono_ns
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
            if transport is None or self._abandoned.is_set():
                return
            opened = Opened(connection, transport, held.pop_all())
        await self._hold(opened, stop)

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

    async def _hold(self, opened: Opened, stop: asyncio.Event) -> None:
        """Serve on this connection, and on those that take over from it."""
        self._opened = opened
        try:
            now = self._parts.clock.now()
            self._enter(opened, now)
            opened.connection.attach(opened.transport, now)
            self._parts.joined(opened.connection, now)
            try:
                over = first(self._closed(), self._renewals())
                closed = await first(over, stop.wait())
            finally:
                told = self._parts.left(self._opened.connection)
                self._log_told(told)
            await self._leave(closed, told)
        except Exception as error:
            self._opened.break_off(error)
            raise
        finally:
            self._opened.held.close()
            self._tell(None)

    def _enter(self, opened: Opened, now: Now) -> None:
        self._opened, self._connection = opened, opened.connection
        self._opened_ns = now.mono_ns
        self.trouble = ""
        self._log("connected", connection=opened.connection.outlet.connection)

    async def _closed(self) -> Closed:
        """Wait for the end of the connection in use, whichever that is by then."""
        while True:
            opened = self._opened
            closed = await opened.transport.wait_closed()
            if opened is self._opened:
                return closed

    async def _leave(self, closed: Closed | None, told: str) -> None:
        connection, transport, _ = self._opened
        session = connection.session
        self._resume = session.positions()
        if closed is None:
            connection.finish(session.stop(self.reason))
            await transport.close()
            return
        connection.ended("CLOSED")
        closing = connection.closing
        self.trouble = self._opened.why(closed)
        connection.finish(session.closed("; ".join(filter(None, (self.trouble, told)))))
        if self._lasted(session):
            self._backoff.stable()
        if closing is not None and closing.refused:
            raise VenueRefused(self.plan.source, closing.detail)

    # -- another connection takes over

    async def _renewals(self) -> None:
        """Replace the connection as often as somebody asks for it."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._renew()
            except BridgeError as error:
                self._log("renewal_failed", detail=str(error))
                self._tell(error)

    async def _renew(self) -> None:
        """Open a second connection, let it take over, and close the first one."""
        old = self._opened
        try:
            await self._parts.may_connect()
            with ExitStack() as held:
                await self._overlap(held)
            self._tell(None)
            await old.transport.close()
        finally:
            self._next = None
            if self._opened is not old:
                old.held.close()

    async def _overlap(self, held: ExitStack) -> None:
        """Keep both open until the new one has taken over."""
        signed_ns = self._parts.clock.now().mono_ns
        if full := self._pacer.full(self.plan.url):
            raise VenueUnreachable(self.plan.source, full)
        session = self._parts.session(self.plan, resumed(self._opened.connection))
        connection = self._next = self._parts.connection(self.plan, session)
        held.callback(connection.silence)
        opened = Opened(connection, await self._open(connection, held), held)
        succession = Succession(self._opened, opened, self._parts)
        taking = self._take_over(succession, opened, signed_ns)
        if await first(taking, opened.transport.wait_closed()) is None:
            why = opened.why(await opened.transport.wait_closed())
            raise VenueUnreachable(self.plan.source, f"the new connection: {why}")

    async def _take_over(
        self, succession: Succession, opened: Opened, signed_ns: int
    ) -> bool:
        """Wait for the moment, then change over in one step."""
        clock = self._parts.clock
        while not succession.ready(now := clock.now()):
            await clock.sleep(LOOK_S)
        self._log_told(succession.take_over(now))
        self._enter(opened.kept(), now)
        self._next, self._signed_ns = None, signed_ns
        return True

    def _tell(self, error: BridgeError | None) -> None:
        """Let those know who wait for the renewal."""
        told, self._told = self._told, None
        if told is not None:
            told.set_result(error)

    # -- what is kept of a connection

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
        plan = self.plan
        self._parts.log(event, **{"source": plan.source, "name": plan.name, **facts})
