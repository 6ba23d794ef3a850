"""A load generator: a WebSocket server that sends exactly what it was asked for.

It speaks just enough of RFC 6455 to keep out of the measurement's way: frames are made
once and joined, so a write costs a copy. It answers binds with snapshots, and

    {"bench": {"count": 1000, "rate": 0, "at": 0}}

with `count` frames: at once if `rate` is 0, else so many a second from the monotonic
time `at` on, in ns. Frame n, counted from 0, is due n + 1 intervals after `at`.
Started as a process of its own: `python -m bridge.bench.generator KIND CORE`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any, cast

from typing_extensions import override

from bridge.bench.frames import positions, run_of, snapshot
from bridge.bench.machine import pin
from bridge.bench.stdio import say, until_closed
from bridge.edge.clock import mono_ns

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
READY = b'["X",0,"Z",0]'
BURST_S = 0.001
JOINED = 100
CLOSE, PING, PONG = 8, 9, 10
SHORT, LONG = 126, 127


def framed(payload: bytes, opcode: int = 1) -> bytes:
    """Return `payload` as one unmasked frame."""
    size, head = len(payload), bytes((0x80 | opcode,))
    if size < SHORT:
        return head + bytes((size,)) + payload
    return head + bytes((SHORT,)) + size.to_bytes(2, "big") + payload


def unframed(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Yield opcode and payload of each whole masked frame, and drop it from `data`."""
    while len(data) >= 2:  # noqa: PLR2004 - the two bytes that every frame has
        size, start = data[1] & 0x7F, 2
        if size >= SHORT:
            start = 4 if size == SHORT else 10
            size = int.from_bytes(data[2:start], "big")
        end = start + 4 + size
        if len(data) < end:
            return
        mask, opcode = data[start : start + 4], data[0] & 0x0F
        payload = bytes(b ^ m for b, m in zip(data[start + 4 : end], cycle(mask)))
        del data[:end]
        yield opcode, payload


def accepted(request: bytes) -> bytes:
    """Return the answer to an upgrade request."""
    lines = request.split(b"\r\n")
    key = next(v for v in lines if v.lower().startswith(b"sec-websocket-key:"))
    digest = hashlib.sha1(key.split(b":", 1)[1].strip() + GUID).digest()  # noqa: S324 - RFC 6455
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
        + base64.b64encode(digest)
        + b"\r\n\r\n"
    )


class Peer(asyncio.Protocol):
    """One client: upgraded, told that the venue is up, served what it asks for."""

    def __init__(self, frames: list[bytes]) -> None:
        """Repeat `frames`, which are framed already."""
        self._frames = frames
        self._held = bytearray()
        self._upgraded = False
        self._next = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        """Upgrade, then obey."""
        self._held += data
        if not self._upgraded:
            head, end, rest = bytes(self._held).partition(b"\r\n\r\n")
            if not end:
                return
            self._transport.write(accepted(head) + framed(READY))
            self._upgraded, self._held = True, bytearray(rest)
        for opcode, payload in unframed(self._held):
            self._obey(opcode, payload)

    @override
    def pause_writing(self) -> None:
        """Wait: the client does not keep up."""
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()

    def _obey(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._transport.write(framed(payload, PONG))
        elif opcode == CLOSE:
            self._transport.write(framed(payload, CLOSE))
            self._transport.close()
        elif opcode == 1:
            self._asked(json.loads(payload))

    def _asked(self, message: dict[str, Any]) -> None:
        if message.get("event") == "bind":
            self._transport.write(framed(_snapshot(message["feed"])))
        if wanted := message.get("bench"):
            count, rate, at = wanted["count"], wanted["rate"], wanted["at"]
            sending = self._paced(count, rate, at) if rate else self._flood(count)
            self._task = asyncio.ensure_future(sending)

    async def _flood(self, count: int) -> None:
        for start in range(0, count, JOINED):
            await self._writable.wait()
            self._transport.write(self._take(min(JOINED, count - start)))
            if start % (JOINED * 10) == 0:
                await asyncio.sleep(0)

    async def _paced(self, count: int, rate: int, at: int) -> None:
        sent = 0
        while sent < count:
            due = min(count, (mono_ns() - at) * rate // 1_000_000_000)
            if due > sent:
                await self._writable.wait()
                self._transport.write(self._take(due - sent))
                sent = due
            await asyncio.sleep(BURST_S)

    def _take(self, count: int) -> bytes:
        """Return the next frames of the run, which never starts over between asks."""
        start, self._next = self._next, (self._next + count) % len(self._frames)
        if self._next == start + count:
            return b"".join(self._frames[start : self._next])
        return b"".join(islice(cycle(self._frames), start, start + count))


def _snapshot(feed: str) -> bytes:
    return snapshot(feed, 0) if feed == "F" else positions()


async def serve(kind: str) -> None:
    """Listen on a free loopback port, say it, and serve until stdin closes."""
    frames = [framed(f) for f in run_of(kind)]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(frames), "127.0.0.1", 0)
    say({"url": f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"})
    await until_closed()
    server.close()


if __name__ == "__main__":
    pin(json.loads(sys.argv[2]))
    asyncio.run(serve(sys.argv[1]))
