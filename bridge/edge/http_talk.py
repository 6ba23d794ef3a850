"""One HTTP connection's side of the talk: a request's head in, one answer out.

Everything is bounded in size and time by `Limits`. The protocol itself is h11's
(https://h11.readthedocs.io).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

import h11

METHODS = ("GET", "HEAD")
READ_BYTES = 4096
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SAFETY = (
    ("cache-control", "no-store"),
    ("connection", "close"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("content-security-policy", POLICY),
)


class Limits(NamedTuple):
    """What a stranger may take, in bytes, seconds and connections."""

    head_bytes: int = 8192
    head_s: float = 5.0
    write_s: float = 5.0
    linger_s: float = 0.5
    connections: int = 64
    streams: int = 16
    event_s: float = 1.0


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    content_type: str
    body: bytes


class Asked(NamedTuple):
    """What one request asks for."""

    method: str
    path: str
    query: str
    host: str


class Refused(Exception):
    """A request that gets no more than a status."""

    def __init__(self, status: int, text: str) -> None:
        """`text` says why, and never repeats what was sent."""
        super().__init__(text)
        self.status = status


class Talk:
    """One connection's side of HTTP: bytes in, events out, and the other way."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: Limits,
    ) -> None:
        """Nothing has been read."""
        self._reader, self._writer, self._limits = reader, writer, limits
        self._http = h11.Connection(
            h11.SERVER, max_incomplete_event_size=limits.head_bytes
        )
        self.head_only = False

    async def asked(self) -> Asked:
        """Read the head of the request; raises Refused for what is none."""
        try:
            async with asyncio.timeout(self._limits.head_s):
                request = await self._request()
        except TimeoutError as error:
            raise Refused(408, "the request did not come in time") from error
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            raise Refused(status, "this is no request that is understood") from error
        method = request.method.decode("ascii", "replace")
        self.head_only = method == "HEAD"
        path, _, query = request.target.decode("latin-1").partition("?")
        found = dict(request.headers)
        return Asked(method, path, query, _host(found.get(b"host", b"")))

    async def _request(self) -> h11.Request:
        left = self._limits.head_bytes
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                raise ConnectionResetError
            if not left:
                raise Refused(431, "the head of the request is too long")
            data = await self._reader.read(min(left, READ_BYTES))
            left -= len(data)
            self._http.receive_data(data)

    async def answer(self, answer: Answer) -> None:
        """Write a whole answer; raises TimeoutError if nobody reads it."""
        length = ("content-length", str(len(answer.body)))
        out = self._head(answer.status, answer.content_type, length)
        if answer.body and not self.head_only:
            out += self._http.send(h11.Data(data=answer.body)) or b""
        await self._write(out + (self._http.send(h11.EndOfMessage()) or b""))

    async def begin(self, content_type: str) -> None:
        """Write the head of an answer without an end."""
        await self._write(self._head(200, content_type))

    async def wait(self) -> bool:
        """Wait until the next message is due; False if the client wants no more."""
        try:
            async with asyncio.timeout(self._limits.event_s):
                await self._reader.read(1)
        except TimeoutError:
            return not self.head_only
        return False  # it has closed its side, or says what nobody asked for

    async def send(self, message: bytes) -> None:
        """Write one message of a stream."""
        await self._write(self._http.send(h11.Data(data=message)) or b"")

    async def linger(self) -> None:
        """Read what still comes for a moment: a reset would destroy the answer."""
        self._writer.write_eof()
        left = self._limits.head_bytes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.linger_s):
                while left > 0 and (read := await self._reader.read(READ_BYTES)):
                    left -= len(read)

    def _head(self, status: int, content_type: str, *more: tuple[str, str]) -> bytes:
        headers = [("content-type", content_type), *more, *SAFETY]
        if status == 405:  # noqa: PLR2004 - RFC 9110, section 15.5.6
            headers.append(("allow", ", ".join(METHODS)))
        response = h11.Response(status_code=status, headers=headers)
        return self._http.send(response) or b""

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(self._limits.write_s):
            await self._writer.drain()


def _host(header: bytes) -> str:
    """Return the name of a Host header, without the port and IPv6's brackets."""
    text = header.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]
