"""WebSocket serving for simulators: one real socket each, and the ways it can fail.

`serve` wraps `websockets.asyncio.server`. A `Connection` posts without waiting, so a
slow client never holds up another one, and is cut off when more than `backlog_bytes`
wait for it. A `Server` can reset, mute, stop listening and listen again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, cast

from websockets.asyncio import server as ws
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bridge.simulators.connection import LOG, Connection, Payload

Handler = Callable[[Connection], Awaitable[None]]
ProcessRequest = Callable[
    [Connection, Request], Awaitable[Response | None] | Response | None
]
SelectSubprotocol = Callable[[Connection, Sequence[str]], str | None]

__all__ = ["Connection", "Handler", "Payload", "Server", "serve"]

# An outgoing backlog of this many bytes is a client that does not read.
BACKLOG_BYTES = 8 << 20
# Close time-out: a client that does not answer a close frame is cut off after this.
_CLOSE_S = 1.0


class Server:
    """A listening WebSocket server; made by `serve`."""

    def __init__(
        self,
        handler: Handler,
        host: str,
        *,
        process_request: ProcessRequest | None,
        max_connections_per_ip: int | None,
        backlog_bytes: int,
        options: dict[str, Any],
    ) -> None:
        self._handler = handler
        self._host = host
        self._process_request = process_request
        self._max_per_ip = max_connections_per_ip
        self._options = options
        self._servers: list[ws.Server] = []
        self._sockets: dict[Connection, None] = {}
        self._open: dict[Connection, None] = {}
        self._per_ip: Counter[str] = Counter()
        self._handlers: set[asyncio.Task[Any]] = set()
        self._made = 0
        self.backlog_bytes = backlog_bytes
        self.port = 0

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Return the connections that finished their handshake, oldest first."""
        return tuple(self._open)

    @property
    def listening(self) -> bool:
        """Tell whether new connections are taken."""
        return bool(self._servers) and self._servers[-1].is_serving()

    async def listen(self, port: int | None = None) -> None:
        """Take new connections, on the same port as before unless another is given."""
        if self.listening:
            return
        server = await ws.serve(
            self._handle,  # type: ignore[arg-type]  # it gets the class made below
            self._host,
            self.port if port is None else port,
            process_request=self._process,  # type: ignore[arg-type]  # as above
            create_connection=cast("type[Connection]", self._make),
            **self._options,
        )
        self._servers.append(server)
        self.port = next(iter(server.sockets)).getsockname()[1]

    def stop_listening(self) -> None:
        """Refuse new connections; those that are open go on."""
        for server in self._servers:
            server.server.close()  # at once; the next line finishes on the loop
            server.close(close_connections=False)

    def kill(self, connection: Connection | None = None) -> int:
        """Reset one connection or all, handshakes included; return how many."""
        victims = self._chosen(connection, self._sockets)
        for victim in victims:
            victim.kill()
        return len(victims)

    def mute(self, connection: Connection | None = None) -> int:
        """Make one connection or all half-open; return how many."""
        victims = self._chosen(connection, self._open)
        for victim in victims:
            victim.mute()
        return len(victims)

    def unmute(self, connection: Connection | None = None) -> int:
        """Take muted connections back; return how many there were."""
        victims = [c for c in self._chosen(connection, self._open) if c.muted]
        for victim in victims:
            victim.unmute()
        return len(victims)

    async def close(self, code: int = 1001) -> None:
        """Stop listening, close every connection and wait for the handlers."""
        self.stop_listening()
        for connection in tuple(self._sockets):
            if not connection.alive:
                connection.kill()
        closing = (c.close(code) for c in tuple(self._open))
        await asyncio.gather(*closing, return_exceptions=True)
        await self._end_handlers()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def joined(self, connection: Connection) -> None:
        """Note a new socket; called by the connection."""
        self._sockets[connection] = None
        self._per_ip[connection.ip] += 1

    def left(self, connection: Connection) -> None:
        """Note the end of a socket; called by the connection."""
        self._sockets.pop(connection, None)
        self._per_ip[connection.ip] -= 1
        if not self._per_ip[connection.ip]:
            del self._per_ip[connection.ip]

    @staticmethod
    def _chosen(
        connection: Connection | None, all_of_them: Iterable[Connection]
    ) -> list[Connection]:
        return list(all_of_them) if connection is None else [connection]

    def _make(self, *args: Any, **kwargs: Any) -> Connection:  # noqa: ANN401 - passed through
        self._made += 1
        return Connection(*args, hub=self, number=self._made, **kwargs)

    async def _handle(self, connection: Connection) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)
        self._open[connection] = None
        try:
            await self._handler(connection)
        except ConnectionClosed:
            pass  # the client left; the handler's own cleanup has run
        finally:
            self._open.pop(connection, None)

    async def _process(
        self, connection: Connection, request: Request
    ) -> Response | None:
        """Refuse a client with too many connections; ask the simulator about others."""
        limit = self._max_per_ip
        if limit is not None and self._per_ip[connection.ip] > limit:
            return connection.respond(429, "Too many connections\n")
        if self._process_request is None:
            return None
        answer = self._process_request(connection, request)
        if not isinstance(answer, Awaitable):
            return answer
        return await _unless_lost(connection, answer)

    async def _end_handlers(self) -> None:
        if not self._handlers:
            return
        _, late = await asyncio.wait(self._handlers, timeout=_CLOSE_S)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


async def _unless_lost(
    connection: Connection, answer: Awaitable[Response | None]
) -> Response | None:
    """Wait for the simulator's answer, but not longer than the client does."""
    task = asyncio.ensure_future(answer)
    lost = connection.connection_lost_waiter
    try:
        await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()


async def serve(  # noqa: PLR0913 - one keyword each, all optional
    handler: Handler,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    process_request: ProcessRequest | None = None,
    select_subprotocol: SelectSubprotocol | None = None,
    tls: ssl.SSLContext | None = None,
    max_connections_per_ip: int | None = None,
    compression: str | None = None,
    ping_interval_s: float | None = None,
    ping_timeout_s: float | None = None,
    max_size: int = 1 << 20,
    backlog_bytes: int = BACKLOG_BYTES,
) -> Server:
    """Listen, and run `handler` for each connection.

    Args:
        handler: Serves one connection; the connection closes when it returns.
        host: Where to listen.
        port: The port, or 0 for any.
        process_request: May answer an HTTP request itself; see `websockets`.
        select_subprotocol: Chooses one of the offered sub-protocols, or None.
        tls: Serve `wss` with this context.
        max_connections_per_ip: More are refused with HTTP 429.
        compression: "deflate" offers permessage-deflate.
        ping_interval_s: Real seconds between the server's pings; None sends none.
        ping_timeout_s: Real seconds until a missing pong ends the connection.
        max_size: The longest message taken, in bytes.
        backlog_bytes: What may wait for a client that does not read, in bytes.
    """
    options = {
        "select_subprotocol": select_subprotocol or _none_of_them,
        "ssl": tls,
        "compression": compression,
        "ping_interval": ping_interval_s,
        "ping_timeout": ping_timeout_s,
        "close_timeout": _CLOSE_S,
        "max_size": max_size,
        "logger": LOG,
        "server_header": None,
    }
    server = Server(
        handler,
        host,
        process_request=process_request,
        max_connections_per_ip=max_connections_per_ip,
        backlog_bytes=backlog_bytes,
        options=options,
    )
    await server.listen(port)
    return server


def _none_of_them(_connection: object, _offered: object) -> None:
    """Select no sub-protocol, whatever the client offers."""
