"""The CF Benchmarks simulator: sockets, sessions, publisher and control together."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TextIO

import msgspec

from bridge.errors import BridgeError
from bridge.simulators import serving
from bridge.simulators.cfbenchmarks import gate, rest, tick_commands, world
from bridge.simulators.cfbenchmarks.clients import Client
from bridge.simulators.cfbenchmarks.frames import Tick, frame
from bridge.simulators.cfbenchmarks.history import History
from bridge.simulators.cfbenchmarks.indices import HOSTS, Calendar, Index
from bridge.simulators.cfbenchmarks.lines import Line, Series, series_of
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions
from bridge.simulators.cfbenchmarks.session import Session
from bridge.simulators.cfbenchmarks.ticks import Delivery, Publisher
from bridge.simulators.cfbenchmarks.values import Walk, seeded
from bridge.simulators.clock import VirtualClock
from bridge.simulators.connection import LOG, Connection
from bridge.simulators.control import Command, Control
from bridge.simulators.ledger import Ledger

# The longest command taken: the venue's limit is unknown, its commands are short.
_MAX_COMMAND = 65_536
_POLICY_VIOLATION = 1008


class CfBenchmarksSimulator:
    """A CF Benchmarks on loopback; use it as an async context manager.

    Args:
        options: What to offer and how; the defaults behave like the venue.
        clock: A clock shared with others, in place of the options' own.
    """

    def __init__(
        self,
        options: CfBenchmarksOptions | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        self.options = msgspec.structs.replace(options or CfBenchmarksOptions())
        own = VirtualClock(self.options.speed, self.options.start_ms)
        self.clock = clock or own
        self.ledger = Ledger(self.clock, self.options.ledger_limit)
        self.calendar = Calendar(self.options.holidays)
        self.history = History(Walk(self.options.seed), self.calendar)
        self.publisher = Publisher(
            _offered(self.options),
            self.options,
            self.calendar,
            self.history,
            self.ledger,
        )
        self.info_order = _unsorted(tuple(self.indices), self.options.seed)
        self.rest = rest.Rest(
            self.indices, self.info_order, self.options, self.history, self.latest
        )
        self.gate = gate.Gate(self.options, self.rest, self.clock, self.ledger)
        self.clients: dict[Client, Session] = {}
        self.control_port = 0
        self.close_after_subscribe = 0
        commands = {**tick_commands.table(self), **world.table(self)}
        self._control = Control(
            {name: self._logged(name, command) for name, command in commands.items()}
        )
        self._server: serving.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def indices(self) -> Mapping[str, Index]:
        """Return the indices on offer, by id."""
        return self.publisher.indices

    @property
    def lines(self) -> Mapping[tuple[str, Series], Line]:
        """Return every line, by index id and series."""
        return self.publisher.lines

    @property
    def server(self) -> serving.Server:
        """Return the WebSocket server."""
        if self._server is None:
            raise BridgeError("the simulator is not started")
        return self._server

    @property
    def port(self) -> int:
        """Return the port of WebSocket and REST."""
        return self.server.port

    @property
    def url(self) -> str:
        """Return the address for WebSocket clients."""
        scheme = "wss" if self.options.tls else "ws"
        return f"{scheme}://{self.options.address}:{self.port}{gate.PATH}"

    @property
    def rest_url(self) -> str:
        """Return the address for REST clients, with the version, ending in a slash."""
        scheme = "https" if self.options.tls else "http"
        return f"{scheme}://{self.options.address}:{self.port}{rest.PREFIX}"

    @property
    def user(self) -> str:
        """Return the user name of the first key."""
        return self.options.keys[0].user

    @property
    def password(self) -> str:
        """Return the password of the first key."""
        return self.options.keys[0].password

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

    async def start(self) -> None:
        """Listen, and publish from now on."""
        self.publisher.start(self.clock.now_ms())
        self._server = await serving.serve(
            self._handle,
            self.options.address,
            self.options.port,
            process_request=self.gate.process,
            select_subprotocol=self.gate.select,
            tls=self.options.tls,
            max_connections_per_ip=self.options.max_connections_per_ip,
            compression="deflate" if self.options.compression else None,
            ping_interval_s=self.options.ping_s,
            ping_timeout_s=self.options.pong_timeout_s,
            max_size=_MAX_COMMAND,
        )
        self.control_port = await self._control.start(
            self.options.address, self.options.control_port
        )
        self._ticking = asyncio.create_task(self._tick(), name="cfbenchmarks ticks")

    async def stop(self) -> None:
        """Stop publishing, close every connection."""
        await self._control.stop()
        if self._server is not None:
            await self._server.close()
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
            self._ticking = None

    async def do(self, name: str, /, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """Run a control command in this process; `describe` lists them."""
        return await self._control.run(name, arguments)

    def _logged(self, name: str, command: Command) -> Command:
        """Return the command so that each use is written into the ledger."""

        @functools.wraps(command)
        def run(arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
            self.ledger.add("control", do=name, arguments=arguments)
            return command(arguments)

        return run

    def latest(self, index_id: str) -> Tick | None:
        """Return the newest published tick of an index, on its finest line."""
        index = self.indices[index_id]
        return self.lines[index_id, series_of(index)[0]].latest

    def render(self, tick: Tick) -> str:
        """Write a tick as the text of its frame."""
        return frame(tick, self.options)

    def pump(self) -> None:
        """Publish what is due."""
        for delivery in self.publisher.advance(self.clock.now_ms()):
            self._deliver(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        for session in tuple(self.clients.values()):
            session.on_tick(delivery.line, delivery.tick)

    async def _tick(self) -> None:
        try:
            while True:
                self.pump()
                await self.clock.sleep_until(self.publisher.next_ms())
        except Exception:
            LOG.exception("publishing has failed")
            raise

    async def _handle(self, connection: Connection) -> None:
        entry = self.gate.entry(connection)
        if entry.mode == "close":
            await connection.close(_POLICY_VIOLATION, self.options.reason("login"))
            return
        client = Client(connection, entry.key.user, self.clock, self.ledger)
        session = Session(entry.key, self, client.send, self.render, entry.manner)
        self.clients[client] = session
        self.ledger.add("opened", connection=client.number, user=client.user)
        try:
            async for message in connection:
                await self._receive(client, session, message)
        finally:
            del self.clients[client]
            client.close()
            self.ledger.add("closed", connection=client.number)

    async def _receive(
        self, client: Client, session: Session, message: str | bytes
    ) -> None:
        shown = message if isinstance(message, str) else message.hex()
        self.ledger.add("received", connection=client.number, text=shown)
        before = len(session.subscriptions)
        session.receive(message)
        if len(session.subscriptions) > before and self.close_after_subscribe:
            self.close_after_subscribe -= 1
            await client.connection.close()


def _offered(options: CfBenchmarksOptions) -> list[Index]:
    """Return the indices of the host, or those of them that were asked for."""
    known = {index.id: index for index in HOSTS[options.host]}
    ids = tuple(known) if options.ids is None else options.ids
    strange = [index_id for index_id in ids if index_id not in known]
    if strange:
        names = ", ".join(strange)
        raise BridgeError(
            f"host {options.host!r} has no index {names}; see `indices.py`"
        )
    return [known[index_id] for index_id in ids]


def _unsorted(ids: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Return the ids in an order that is not the alphabetical one."""
    mixed = list(ids)
    seeded(seed, "info").shuffle(mixed)
    if mixed == sorted(mixed):
        mixed.reverse()
    return tuple(mixed)


async def simulate(
    options: CfBenchmarksOptions, stop: asyncio.Event, out: TextIO
) -> int:
    """Run until `stop` is set; print where it listens. Returns the exit code."""
    async with CfBenchmarksSimulator(options) as simulator:
        print(
            f"CF Benchmarks simulator: {simulator.url}",
            f"REST: {simulator.rest_url}",
            f"control: {options.address}:{simulator.control_port}",
            f"key (made up): {simulator.user} / {simulator.password}",
            sep="\n",
            file=out,
            flush=True,
        )
        await stop.wait()
    return 0
