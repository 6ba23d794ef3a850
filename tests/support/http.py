"""A raw HTTP client over a real socket: sends any bytes, and reads to the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """A whole answer; status 0 where none came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as plain values."""
        return json.loads(self.body)


async def raw(port: int, sent: bytes, limit_s: float = 10.0) -> Reply:
    """Send bytes as they are and return what comes until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(limit_s):
                while chunk := await reader.read(65536):
                    got += chunk
    finally:
        writer.transport.abort()
    return parsed(got)


def parsed(got: bytes) -> Reply:
    """Take an answer apart."""
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 "):
        return Reply(0, {}, got)
    pairs = [line.split(": ", 1) for line in lines[1:]]
    headers = {name.lower(): value for name, value in pairs}
    return Reply(int(lines[0].split()[1]), headers, body)


async def get(port: int, path: str, method: str = "GET", host: str = "") -> Reply:
    """Ask for a path."""
    named = host or f"127.0.0.1:{port}"
    return await raw(
        port, f"{method} {path} HTTP/1.1\r\nhost: {named}\r\n\r\n".encode()
    )
