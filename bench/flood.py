"""A venue that floods whoever binds: `python -m bench.flood`.

It answers every bind with a whole book, and sends updates of what is bound as fast as
they are read, from the line `go` on stdin to the line `halt`. It ends with stdin. All
frames are made before they are needed; see `bridge.bench.generator`, which it extends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from functools import partial
from typing import Any

from typing_extensions import override

from bridge.bench.frames import snapshot, update
from bridge.bench.generator import JOINED, Peer, framed
from bridge.bench.stdio import say

CHANGES = 5  # levels a side, as in `upd5`
FRAMES_A_BOOK = 40


def run_of(name: str) -> list[bytes]:
    """Return the updates of one book, framed."""
    return [framed(update(seed, CHANGES, name)) for seed in range(FRAMES_A_BOOK)]


def frame_bytes(names: list[str]) -> float:
    """Return the mean size of a frame of these books."""
    frames = [frame for name in names for frame in run_of(name)]
    return sum(map(len, frames)) / len(frames)


class Flooding(Peer):
    """One client: its books are sent in turn while `gate` is set."""

    def __init__(self, gate: asyncio.Event) -> None:
        """Send nothing before the first bind."""
        super().__init__([])
        self._gate = gate

    @override
    def _asked(self, message: dict[str, Any]) -> None:
        if message.get("event") != "bind":
            return
        name = message["feedId"]
        self._transport.write(framed(snapshot(message["feed"], 0, name)))
        self._frames += run_of(name)
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            await self._gate.wait()
            await self._writable.wait()
            self._transport.write(self._take(JOINED))
            await asyncio.sleep(0)


async def serve() -> None:
    """Listen on a free loopback port, say it, and obey stdin."""
    loop, gate = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Flooding(gate), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    say({"url": f"ws://127.0.0.1:{port}/ws", "pid": os.getpid()})
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() == "go":
            gate.set()
        else:
            gate.clear()
    server.close()


class Sink(asyncio.Protocol):
    """A client that binds books and only counts bytes."""

    def __init__(self, names: list[str]) -> None:
        """Bind `names` as soon as the connection stands."""
        self._names = names
        self.bytes = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for everything at once; the mask may be zero."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        head = b"GET /ws HTTP/1.1\r\nSec-WebSocket-Key: c2luaw==\r\n\r\n"
        transport.write(head + b"".join(map(_bind, self._names)))

    @override
    def data_received(self, data: bytes) -> None:
        """Count."""
        self.bytes += len(data)


def _bind(name: str) -> bytes:
    text = json.dumps({"event": "bind", "feed": "F", "feedId": name}).encode()
    return bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text


async def drained(port: int, names: list[str], clients: int, seconds: float) -> float:
    """Return how many frames a second bare clients take from a flooding server."""
    loop = asyncio.get_running_loop()
    shares = [names[n::clients] for n in range(clients)]
    made = [
        await loop.create_connection(partial(Sink, share), "127.0.0.1", port)
        for share in shares
    ]
    await asyncio.sleep(seconds / 4)
    before = sum(sink.bytes for _, sink in made)
    start = loop.time()
    await asyncio.sleep(seconds)
    took_s = loop.time() - start
    count = sum(sink.bytes for _, sink in made) - before
    for transport, _ in made:
        transport.close()
    return count / frame_bytes(names) / took_s


if __name__ == "__main__":
    asyncio.run(serve())
