"""A TCP proxy that breaks connections on purpose: for WebSockets, Kafka and HTTP.

    async with Proxy("127.0.0.1", port) as proxy:
        ...connect to proxy.port...
        proxy.half_open()

Faults hold for all connections, old and new, until `heal`.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

CHUNK = 64 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s: close() sends RST


class Proxy:
    """Forwards bytes between clients and one server, as well as it is allowed to.

    Attributes:
        delay_s: wait before each chunk is passed on.
        bytes_per_s: throttle for each direction of a connection; 0 is none.
        accepted: connections taken so far.
        passed: bytes passed from server to clients so far.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.accepted = 0
        self.passed = 0
        self._target = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._swallow = False
        self._cut_after: int | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        """Take connections by our own hand.

        asyncio's server takes a connection some turns of the loop before it tells us,
        and drops it unclosed when it is closed between the two.
        """
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listening, self._accept)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    # -- faults

    def half_open(self) -> None:
        """Pass nothing on in either direction, and close nothing."""
        self._open.clear()

    def swallow(self) -> None:
        """Read everything from both sides and throw it away."""
        self._swallow = True

    def cut_after(self, count: int) -> None:
        """Reset the connection once `count` more bytes came from the server."""
        self._cut_after = self.passed + count

    def reset(self) -> None:
        """Send RST to both sides of every connection."""
        for writer in self._writers:
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def close(self) -> None:
        """Close every connection as a server that ends does: with FIN."""
        for writer in self._writers:
            writer.close()

    def heal(self) -> None:
        """Take all faults back."""
        self.delay_s, self.bytes_per_s = 0.0, 0
        self._swallow, self._cut_after = False, None
        self._open.set()

    # -- inside

    def _accept(self) -> None:
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the client has left again
        client.setblocking(False)
        self.accepted += 1
        link = asyncio.create_task(self._serve(client))
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        link.add_done_callback(lambda _: client.close())  # if it never began

    async def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(sock=client)
            async with self._kept(writer):
                await self._link(reader, writer)

    async def _link(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        to_reader, to_writer = await asyncio.open_connection(*self._target)
        async with self._kept(to_writer), asyncio.TaskGroup() as group:
            group.create_task(self._pump(reader, to_writer, from_server=False))
            group.create_task(self._pump(to_reader, writer, from_server=True))

    @contextlib.asynccontextmanager
    async def _kept(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        from_server: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._pass(data, writer, from_server=from_server)
            await self._open.wait()
            if writer.can_write_eof():
                writer.write_eof()

    async def _pass(
        self, data: bytes, writer: asyncio.StreamWriter, *, from_server: bool
    ) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.bytes_per_s:
            await asyncio.sleep(len(data) / self.bytes_per_s)
        await self._open.wait()
        if self._swallow:
            return
        room = None if self._cut_after is None else self._cut_after - self.passed
        cut = from_server and room is not None and room <= len(data)
        data = data[:room] if cut else data
        self.passed += len(data) if from_server else 0
        writer.write(data)
        await writer.drain()
        if cut:
            await asyncio.sleep(0.05)  # lets the bytes before the cut arrive
            self.reset()
