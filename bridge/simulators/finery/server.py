"""The Finery Markets simulator: start, stop, and what happens on each connection.

Source: reference page "Finery Markets API", section 13, item by item.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final, Self, TextIO

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bridge.simulators.clock import VirtualClock
from bridge.simulators.connection import Connection
from bridge.simulators.control import Control
from bridge.simulators.finery import leaving, wire
from bridge.simulators.finery.accounts import Account, Gate
from bridge.simulators.finery.activity import TAKER, Activity
from bridge.simulators.finery.chance import Chance
from bridge.simulators.finery.commands import Faults
from bridge.simulators.finery.desk import Desk
from bridge.simulators.finery.engine import Order
from bridge.simulators.finery.faults import Table, take
from bridge.simulators.finery.flood import Flood
from bridge.simulators.finery.hub import Hub
from bridge.simulators.finery.market import Market
from bridge.simulators.finery.options import FineryOptions
from bridge.simulators.finery.refusals import Refused
from bridge.simulators.finery.session import Session
from bridge.simulators.finery.venue import Deal, Venue
from bridge.simulators.finery.wire import Json
from bridge.simulators.ledger import Ledger
from bridge.simulators.serving import Server, serve

_CLEAN: Final = 1000
_PATHS: Final = frozenset({"/ws", "/ws/"})
_LOGIN_HEADERS: Final = ("EFX-Key", "EFX-Content", "EFX-Sign")


class FinerySimulator:
    """A local Finery Markets; use it as an asynchronous context manager."""

    def __init__(
        self, options: FineryOptions | None = None, clock: VirtualClock | None = None
    ) -> None:
        """Prepare everything but the sockets; `clock` replaces that of the options."""
        self.options = options or FineryOptions()
        self.clock = clock or VirtualClock(self.options.speed, self.options.start_ms)
        self.ledger = Ledger(self.clock, self.options.ledger_limit)
        self.venue = Venue(self.options, self.clock.now_ms, self._decided)
        self.hub = Hub(self.venue, self.ledger)
        self.table = Table()
        self.desk = Desk(self)
        chance = Chance(self.options.seed)
        self.market = Market(self.venue, self.hub, self.clock, chance)
        self.activity = Activity(self.venue, self.hub, self.clock, chance)
        self.flood = Flood(self.hub, self.clock, chance, self.ledger)
        self.sessions: dict[int, Session] = {}
        self._accepted: dict[int, Session] = {}
        self.faults = Faults(self)
        self._gate = Gate(self.venue.accounts, self.options.rules)
        self._control = Control(self.faults.commands())
        self._server: Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.control_port: int | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    @property
    def server(self) -> Server:
        """Return the listening server."""
        if self._server is None:
            raise RuntimeError("the simulator is not started")
        return self._server

    @property
    def url(self) -> str:
        """Return the WebSocket address."""
        scheme = "wss" if self.options.tls_certificate else "ws"
        return f"{scheme}://{self.options.host}:{self.server.port}/ws"

    @property
    def key(self) -> str:
        """Return the demo taker's key."""
        return self.venue.accounts[TAKER].key

    @property
    def secret(self) -> str:
        """Return the demo taker's made-up secret."""
        return self.venue.accounts[TAKER].secret

    def account(self, name: str) -> Account:
        """Return a demo account: taker, maker, master, subaccount, reader, nothing."""
        found = [a for a in self.venue.accounts.values() if a.name == name]
        return found[0]

    async def start(self) -> None:
        """Open the books and listen."""
        self.market.open()
        if self.options.desk_rate:
            self.activity.open()
        self.venue.news.clear()
        self.venue.dirty.clear()
        self._server = await serve(
            self._serve,
            self.options.host,
            self.options.port,
            process_request=self._handshake,
            tls=_tls(self.options),
            max_connections_per_ip=self.options.rules.connections_per_ip,
            backlog_bytes=self.options.max_backlog_bytes,
        )
        if self.options.control_port is not None:
            port = self.options.control_port
            self.control_port = await self._control.start("127.0.0.1", port)
        if self.options.rate:
            self.spawn(self.market.run())
        if self.options.desk_rate:
            self.spawn(self.activity.run())

    async def stop(self) -> None:
        """Stop trading, close every connection, write the last tallies down."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.desk.stop()
        await self._control.stop()
        if self._server is not None:
            await self._server.close()

    async def do(self, name: str, **arguments: Json) -> Json:
        """Run a command of the control interface in this process."""
        return await self._control.run(name, arguments)

    def login(self, key: str, content: str, signed: str) -> Account:
        """Check a login against real time, which virtual time may leave behind."""
        return self._gate.login(key, content, signed, self.clock.wall_ms())

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], object]:
        """Run something until the simulator stops; return what ends it earlier."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task.cancel

    async def _handshake(
        self, connection: Connection, request: Request
    ) -> Response | None:
        """Refuse or accept an upgrade (1.2, 1.6)."""
        faults, rules = self.table.handshakes, self.options.rules
        applies, faults.delays = take(faults.delays)
        if applies:
            await self.clock.sleep(faults.delay_ms / 1000)
        applies, faults.refusals = take(faults.refusals)
        if applies:
            body = faults.body
            text = wire.compact({"error": faults.error}) if body is None else body
            return self._refuse(connection, faults.status, text)
        if request.path not in _PATHS:
            return connection.respond(404, "not found\n")
        try:
            self._accept(connection, request)
        except Refused as refused:
            body = wire.compact({"error": refused.number})
            return self._refuse(connection, rules.refusal_status, body)
        return None

    def _accept(self, connection: Connection, request: Request) -> None:
        given = [request.headers.get(name) for name in _LOGIN_HEADERS]
        account = None
        if any(given) or not self.options.rules.in_band_login:
            key, content, signed = (text or "" for text in given)
            account = self.login(key, content, signed)
        self._accepted[connection.number] = Session(self, connection, account)

    def _refuse(self, connection: Connection, status: int, body: str) -> Response:
        self.ledger.add("handshake refused", status=status, body=body)
        return connection.respond(status, body)

    async def _serve(self, connection: Connection) -> None:
        """Serve one connection until it ends."""
        session = self._accepted.pop(connection.number)
        self.sessions[session.number] = session
        account = session.account.id if session.account else None
        self.ledger.add("connected", connection=session.number, account=account)
        stop_watching = self.spawn(self._watch_idle(session))
        session.post(wire.status(self.table.x_code))
        try:
            async for frame in connection:
                session.receive(frame)
        except ConnectionClosed:
            pass  # the end is told below, whatever kind it was
        finally:
            stop_watching()
            self.end(session)

    def end(self, session: Session) -> None:
        """Forget a connection; cancel the orders tied to it (section 12)."""
        if session.ended:
            return
        session.ended = True
        self.sessions.pop(session.number, None)
        code = session.connection.close_code
        session.drop_bindings()
        self.ledger.add("disconnected", connection=session.number, code=code)
        if code != _CLEAN or self.options.rules.cod_on_clean_close:
            leaving.disconnected(self.venue, session.number)
        self.hub.publish()

    async def _watch_idle(self, session: Session) -> None:
        """Close a connection from which nothing came for too long (1.7)."""
        limit_ms = self.options.rules.idle_timeout_s * 1000
        session.watch_frames(self.clock.now_ms)
        while True:
            left = session.heard_ms + limit_ms - self.clock.now_ms()
            if left <= 0:
                break
            await self.clock.sleep(left / 1000)
        self.ledger.add("idle", connection=session.number)
        await self._give_up(session)

    async def _give_up(self, session: Session) -> None:
        """End an idle connection; the far end of a half-open one learns nothing."""
        code = self.options.rules.idle_close_code
        if session.connection.muted:
            self.end(session)
        elif code:
            await session.connection.close(code, "idle")
        else:
            session.connection.kill()

    def _decided(self, kind: str, **facts: Json) -> None:
        """Write a decision about orders into the ledger."""
        order: Order | None = facts.get("order")
        deal: Deal | None = facts.get("deal")
        parties = {order.account} if order else set()
        parties |= {deal.taker, deal.maker} if deal else set()
        if self.options.record_market or parties & self.venue.audience:
            if order is not None:
                self.ledger.add(kind, **_facts(asdict(order)))
            if deal is not None:
                facts = {**deal._asdict(), "order": deal.order.id}
                self.ledger.add(kind, **_facts(facts))


def _facts(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record's fields, its `kind` under the name that the venue uses."""
    return {"type" if k == "kind" else k: v for k, v in record.items()}


def _tls(options: FineryOptions) -> ssl.SSLContext | None:
    if options.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_certificate, options.tls_key)
    return context


async def simulate(options: FineryOptions, stop: asyncio.Event, out: TextIO) -> int:
    """Run a simulator until `stop` is set; print where it is and how to log in."""
    async with FinerySimulator(options) as simulator:
        lines = (
            f"url      {simulator.url}",
            f"control  127.0.0.1:{simulator.control_port}",
            f"key      {simulator.key}",
            f"secret   {simulator.secret}",
            f"maker    {simulator.account('maker').key}",
        )
        out.write("\n".join(lines) + "\n")
        out.flush()
        await stop.wait()
    return 0
