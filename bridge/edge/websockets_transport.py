"""The portable WebSocket transport, over the `websockets` library.

It drives the library's sans-I/O core, whose interface is documented
(https://websockets.readthedocs.io/en/stable/howto/sansio.html, read 2026-11-21), from
an asyncio protocol of our own: messages reach the receiver without a queue, a task or
a future, which halves their cost against `recv()`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import cast

from typing_extensions import override
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from bridge.core.model import Closed, Handshake, Receiver
from bridge.edge.clock import wall_ns
from bridge.edge.dial import Opening, meet
from bridge.edge.transport import (
    ABNORMAL,
    NORMAL,
    PING,
    UNREAD,
    UNSENT_BYTES,
    USER_AGENT,
    End,
    Keepalive,
    TransportOptions,
    UpgradeRefused,
    check_subprotocol,
)

# Its debug lines would show the handshake's headers, and with them credentials.
LOGGER = logging.getLogger("feedbridge.websockets")
LOGGER.setLevel(logging.WARNING)

# Looking a member up in its enum costs more than all else done here for a frame.
TEXT, BINARY = Opcode.TEXT, Opcode.BINARY
DATA = frozenset({TEXT, BINARY, Opcode.CONT})


class WebSocketsTransport(asyncio.Protocol):
    """One connection over the `websockets` library."""

    def __init__(
        self, handshake: Handshake, receiver: Receiver, options: TransportOptions
    ) -> None:
        """Prepare; the request goes out when the socket is connected."""
        self._handshake = handshake
        self._receiver = receiver
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._protocol = _protocol(handshake, options)
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._end = End(options.close_timeout_s, self._drop)
        self._keepalive = Keepalive(options, self._ping, self._give_up)
        # Events that came before the receiver may be called; None from then on.
        self._early: list[Event] | None = []
        self._date = ""
        self._parts = bytearray()
        self._paused = False
        self._muted = False

    # -- what the rest of the program calls

    def send(self, text: str) -> None:
        """Queue one text frame; does nothing on a closed connection."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(text.encode())
            self._write()

    def pause(self) -> None:
        """Stop reading the socket; pings to the venue go on."""
        self._paused = True
        self._keepalive.pause()
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._keepalive.resume()
            # Not at once: what is held back must not be delivered within this call.
            self._loop.call_soon(self._begin)

    async def close(self) -> None:
        """Close with code 1000; give up and abort after the close time-out."""
        self._muted = True
        self._end.because(NORMAL, "closed by feedbridge")
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(NORMAL)
            self._write()
        self._end.expect()
        # The answer can only be seen by reading, whatever else comes before it.
        self._paused = False
        self._begin()
        await self._end.settled()

    def abort(self) -> None:
        """Drop the connection at once, without a close frame."""
        self._give_up("dropped by feedbridge")

    async def wait_closed(self) -> Closed:
        """Wait for the end, whoever caused it; raises what the receiver raised."""
        return await self._end.wait()

    # -- the upgrade

    async def open(self, step: Opening, sock: socket.socket) -> None:
        """Upgrade a connected socket, then let messages through.

        Raises:
            UpgradeRefused: the server answered with another status.
            ConnectionError: it did not answer as a WebSocket server does.
        """
        await self._loop.create_connection(lambda: self, **step.take(sock))
        step.step = "upgrade"
        try:
            await self._answered
            self._check_answer()
            meet(step, self._transport, self._date)
        except BaseException:
            self.abort()
            raise
        self._keepalive.start()
        self._loop.call_soon(self._begin)

    def _check_answer(self) -> None:
        error = self._protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            answer = error.response
            body = bytes(answer.body)
            raise UpgradeRefused(answer.status_code, body, answer.headers)
        if error is not None:
            # The error's own words may repeat a header, and with it a credential.
            cause = f": {error.__cause__}" if error.__cause__ else ""
            message = f"no WebSocket answer ({type(error).__name__}{cause})"
            raise ConnectionError(message) from None
        check_subprotocol(self._protocol.subprotocol, self._handshake, self._options)

    def _begin(self) -> None:
        """Let messages through: first what was held back, then the socket's."""
        if self._paused or self._end.finished:
            return
        events, self._early = self._early, None
        if events:
            self._take(events)
        if not self._paused:
            self._transport.resume_reading()

    # -- what asyncio calls

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=UNSENT_BYTES)
        request = self._protocol.connect()
        request.headers.setdefault("User-Agent", USER_AGENT)
        request.headers.update(self._handshake.headers)
        self._protocol.send_request(request)
        self._write()

    @override
    def data_received(self, data: bytes) -> None:
        """Take one read's worth of frames: the batch."""
        self._keepalive.heard = True
        protocol = self._protocol
        protocol.receive_data(data)
        events = protocol.events_received()
        self._write()
        if self._early is None:
            self._take(events)
        else:
            self._hold(events)

    @override
    def pause_writing(self) -> None:
        """Take the full write buffer for what it is."""
        self._give_up(UNREAD)

    @override
    def eof_received(self) -> None:
        """Let the core know; the socket closes itself."""
        self._protocol.receive_eof()
        self._write()
        self._hold([])

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the waiters how it ended."""
        self._protocol.receive_eof()
        self._keepalive.stop()
        self._look_for_end()
        self._end.because(ABNORMAL, str(exc or "") or "broke without a close frame")
        self._end.finish()
        self._hold([])

    # -- inside

    def _hold(self, events: Sequence[Event]) -> None:
        """Keep what came with the answer until the caller of `connect` is ready."""
        frames = [event for event in events if not isinstance(event, Response)]
        for answer in (event for event in events if isinstance(event, Response)):
            self._date = answer.headers.get("Date", "")
        answered = len(frames) < len(events) or self._protocol.handshake_exc
        if answered and not self._answered.done():
            self._answered.set_result(None)
            self._transport.pause_reading()
        if self._early is not None:
            self._early.extend(frames)

    def _take(self, events: Sequence[Event]) -> None:
        received_ns = wall_ns()
        on_frame = self._receiver.on_frame
        try:
            for event in cast("Sequence[Frame]", events):
                if self._muted:
                    break
                if event.fin and (event.opcode is TEXT or event.opcode is BINARY):
                    on_frame(bytes(event.data), received_ns)
                else:
                    self._join(event, received_ns)
            if not self._muted:
                self._receiver.on_chunk_end()
        except Exception as error:  # noqa: BLE001 - comes out of wait_closed
            self._end.fail(error)
            self._give_up("the receiver failed")
        if self._protocol.state is not State.OPEN:
            self._look_for_end()
            self._end.expect()

    def _join(self, frame: Frame, received_ns: int) -> None:
        """Join fragments; the core has checked their order and whole size."""
        if frame.opcode in DATA:
            self._parts += frame.data
            if frame.fin:
                data, self._parts = bytes(self._parts), bytearray()
                self._receiver.on_frame(data, received_ns)

    def _look_for_end(self) -> None:
        """Find the first close frame, the venue's or ours."""
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        ours = sent is not None and not self._protocol.close_rcvd_then_sent
        if ours and sent is not None:
            self._end.because(sent.code, sent.reason)
        elif received is not None:
            self._end.closed_by_venue(received.code, received.reason)

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if self._transport.is_closing():
                return  # asyncio would log each write
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def _ping(self) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(PING)
            self._write()

    def _give_up(self, reason: str) -> None:
        self._muted = True
        self._end.because(ABNORMAL, reason)
        self._drop()

    def _drop(self) -> None:
        self._transport.abort()


def _protocol(handshake: Handshake, options: TransportOptions) -> ClientProtocol:
    deflate = options.compression == "deflate"
    return ClientProtocol(
        parse_uri(handshake.url),
        extensions=[ClientPerMessageDeflateFactory()] if deflate else None,
        subprotocols=[Subprotocol(name) for name in handshake.subprotocols] or None,
        max_size=options.max_message_bytes,
        logger=LOGGER,
    )
