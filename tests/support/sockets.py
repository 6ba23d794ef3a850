"""Servers and receivers for tests of WebSocket clients."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from bridge.core.model import Handshake, Transport
from bridge.edge.websocket import TransportOptions, connect
from tests.support.running import until

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Recorder:
    """A receiver that keeps what it is given, and fails when told to."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.stamps: list[int] = []
        self.chunk_ends = 0
        self.log: list[str] = []
        self.error: Exception | None = None
        self.on_end: Callable[[], None] | None = None

    def on_frame(self, data: bytes, received_ns: int) -> None:
        """Keep a message."""
        if self.error is not None:
            raise self.error
        self.frames.append(data)
        self.stamps.append(received_ns)
        self.log.append("frame")

    def on_chunk_end(self) -> None:
        """Count a batch."""
        self.chunk_ends += 1
        self.log.append("end")
        if self.on_end is not None:
            self.on_end()

    async def wait_for(self, count: int) -> None:
        """Wait until `count` messages have come."""
        await until(lambda: len(self.frames) >= count, f"{count} messages")


@contextlib.asynccontextmanager
async def connected(
    url: str, receiver: Recorder, options: TransportOptions
) -> AsyncIterator[Transport]:
    """Connect, and drop the connection at the end."""
    transport = await connect(Handshake(url), receiver, options)
    try:
        yield transport
    finally:
        transport.abort()
        with contextlib.suppress(Exception):
            await transport.wait_closed()


@contextlib.asynccontextmanager
async def raw_server(serve: Serve, **named: Any) -> AsyncIterator[int]:
    """Serve plain TCP with a function; hands out the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, **named)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
