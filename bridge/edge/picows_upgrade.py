"""The upgrade under picows: the answer is read here, then picows takes the socket.

`WSProtocol` is the class behind `picows.ws_connect`; using it directly is the only way
to see a refusal's whole body. Should a later picows build it differently, making one
raises Unfit, and `connect` takes the other transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import picows
from picows.picows import WSProtocol  # type: ignore[attr-defined]
from typing_extensions import override
from websockets.http11 import Response
from websockets.streams import StreamReader

from bridge.core.model import Handshake
from bridge.edge.transport import (
    USER_AGENT,
    TransportOptions,
    Unfit,
    UpgradeRefused,
)

LOGGER = logging.getLogger("feedbridge.picows")
LOGGER.setLevel(logging.CRITICAL)

READ_BYTES = 256 * 1024
END_OF_HEAD = b"\r\n\r\n"
SWITCHING = 101


class Core(Protocol):
    """What is used of picows' WSProtocol, which its type stubs leave out."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle what waits."""

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return room for bytes."""

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes written there."""

    async def wait_until_handshake_complete(self) -> None:
        """Raise what was wrong with the answer."""


class Answer(asyncio.Protocol):
    """Reads the answer to the upgrade, then makes way for picows."""

    def __init__(self, core: Core) -> None:
        self.response: asyncio.Future[Response] = (
            asyncio.get_running_loop().create_future()
        )
        self._core = core
        self._raw = b""
        reader = self._reader = StreamReader()
        self._parser = Response.parse(
            reader.read_line, reader.read_exact, reader.read_to_eof
        )

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let picows send its request."""
        self.transport: Any = transport
        self._core.connection_made(transport)

    @override
    def data_received(self, data: bytes) -> None:
        """Collect the answer."""
        self._raw += data
        self._reader.feed_data(data)
        self._parse()

    @override
    def eof_received(self) -> None:
        """Note that the answer is as long as it will get."""
        self._reader.feed_eof()
        self._parse()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self._core.connection_lost(exc)
        if not self.response.done():
            self._fail(exc or ConnectionResetError("closed before it answered"))

    async def hand_over(self) -> bytes:
        """Make picows the protocol; return what came after the head."""
        head, _, rest = self._raw.partition(END_OF_HEAD)
        self.transport.set_protocol(self._core)
        feed(self._core, head + END_OF_HEAD)
        try:
            await self._core.wait_until_handshake_complete()
        except picows.WSHandshakeError as error:
            # Its own words may repeat a header, and with it a credential.
            message = f"no WebSocket answer ({type(error).__name__})"
            raise ConnectionError(message) from None
        return rest

    def _parse(self) -> None:
        if self.response.done():
            return
        try:
            next(self._parser)
        except StopIteration as done:
            self._answered(done.value)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            self._fail(ConnectionError(f"no HTTP answer: {error}"))

    def _answered(self, answer: Response) -> None:
        self.transport.pause_reading()
        if answer.status_code == SWITCHING:
            self.response.set_result(answer)
            return
        status, body = answer.status_code, bytes(answer.body)
        self._fail(UpgradeRefused(status, body, answer.headers))

    def _fail(self, error: Exception) -> None:
        """Let the wait raise this, if anybody waits.

        Nobody does where the opening was cancelled; an exception that is never looked
        at would count as a fault of ours.
        """
        self.response.set_exception(error)
        self.response.exception()


class _Core(WSProtocol):  # type: ignore[misc]
    """picows' protocol, reading no more at once than asyncio's own protocols do.

    Its buffer doubles whenever it was filled, up to what the kernel holds: megabytes,
    during whose handling nothing else in this process would get its turn.
    """

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return room for the next read."""
        room: memoryview = super().get_buffer(size_hint)
        return room[:READ_BYTES]


def make_core(
    listener: picows.WSListener, handshake: Handshake, options: TransportOptions
) -> Core:
    """Make picows' protocol.

    Raises:
        Unfit: compression is asked for, or this picows is built differently.
    """
    if options.compression != "off":
        raise Unfit("picows knows no compression")
    try:
        core = _Core(
            logger=LOGGER,
            disconnect_on_exception=True,
            websocket_handshake_timeout=None,
            enable_auto_ping=False,
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=picows.WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,
            max_frame_size=options.max_message_bytes,
            read_buffer_init_size=READ_BYTES // 4,
            is_client_side=True,
            ws_listener_factory=lambda *_: listener,
            **_request(handshake),
        )
    except TypeError as error:
        raise Unfit("picows is built differently") from error
    return cast("Core", core)


def _request(handshake: Handshake) -> dict[str, Any]:
    parts = urlsplit(handshake.url)
    headers = [("User-Agent", USER_AGENT), *handshake.headers]
    if handshake.subprotocols:
        headers.append(("Sec-WebSocket-Protocol", ", ".join(handshake.subprotocols)))
    return {
        "host_port": parts.netloc.rpartition("@")[2],
        "ws_path": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        "extra_headers": headers,
    }


def creator() -> Callable[..., Awaitable[Any]]:
    """Return what opens connections: aiofastnet, which picows brings, or asyncio."""
    loop = asyncio.get_running_loop()
    try:
        import aiofastnet  # noqa: PLC0415 - an optional extra of an optional extra
    except ImportError:
        return loop.create_connection
    return lambda *args, **named: aiofastnet.create_connection(loop, *args, **named)


def feed(core: Core, data: bytes) -> None:
    """Give picows bytes that were read for it."""
    rest = memoryview(data)
    while rest:
        room = core.get_buffer(-1)
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        core.buffer_updated(count)
        rest = rest[count:]
