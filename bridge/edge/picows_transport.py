"""The fast WebSocket transport, over picows; an optional extra.

picows parses frames in C and calls back for each frame, not for each message:
fragments, pings, close frames and the end of a chunk are handled here. Two of its
habits decide the shape of this module (picows 2.3.1, read 2026-11-21):

- A refused upgrade's body is kept only as far as it came with the head, yet it says
  why a login failed. So the answer is read here, and picows is fed the head of a 101.
- Its own pong would swallow the end of a chunk; so pings are answered here.
"""

from __future__ import annotations

import asyncio
import socket

import picows
from typing_extensions import override

from bridge.core.model import Closed, Handshake, Receiver
from bridge.edge.clock import wall_ns
from bridge.edge.dial import Opening, meet
from bridge.edge.picows_upgrade import Answer, creator, feed, make_core
from bridge.edge.transport import (
    ABNORMAL,
    NO_CODE,
    NORMAL,
    PING,
    PROTOCOL_ERROR,
    TOO_BIG,
    UNREAD,
    UNSENT_BYTES,
    End,
    Keepalive,
    TransportOptions,
    check_subprotocol,
)

# A longer frame is no control frame (RFC 6455, section 5.5); asking picows for a
# frame's type costs twice as much as copying a small payload out.
CONTROL_BYTES = 125


class PicowsTransport(picows.WSListener):
    """One connection over picows; called back by it for every frame."""

    def __init__(
        self, handshake: Handshake, receiver: Receiver, options: TransportOptions
    ) -> None:
        """Prepare; raises Unfit if picows cannot serve."""
        self._handshake = handshake
        self._receiver = receiver
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._max_bytes = options.max_message_bytes
        self._core = make_core(self, handshake, options)
        self._end = End(options.close_timeout_s, self._drop)
        self._keepalive = Keepalive(options, self._ping, self._give_up)
        self._on_frame = receiver.on_frame
        self._early = b""
        self._parts: bytearray | None = None
        # No fragments are waiting and the receiver may be called: the fast path.
        self._plain = True
        self._paused = False
        self._muted = False
        self._received_ns = 0

    # -- what the rest of the program calls

    def send(self, text: str) -> None:
        """Queue one text frame; does nothing on a closed connection."""
        if not self._end.finished:
            self._wire.send(picows.WSMsgType.TEXT, text.encode())

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
        self._mute()
        self._end.because(NORMAL, "closed by feedbridge")
        if not self._end.finished:
            self._wire.send_close(picows.WSCloseCode.OK)
            self._end.expect()
            # The answer can only be seen by reading, whatever comes before it.
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
        answer = Answer(self._core)
        await creator()(lambda: answer, **step.take(sock))
        step.step = "upgrade"
        self._transport = answer.transport
        self._transport.set_write_buffer_limits(high=UNSENT_BYTES)
        try:
            response = await answer.response
            chosen = response.headers.get("Sec-WebSocket-Protocol")
            check_subprotocol(chosen, self._handshake, self._options)
            meet(step, self._transport, response.headers.get("Date", ""))
            self._early = await answer.hand_over()
        except BaseException:
            self._transport.abort()
            raise
        self._keepalive.start()
        self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Let messages through: first what was held back, then the socket's."""
        if self._paused or self._end.finished:
            return
        early, self._early = self._early, b""
        if early:
            feed(self._core, early)
        if not self._paused:
            self._transport.resume_reading()

    # -- what picows calls

    @override
    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Keep the way to send."""
        self._wire = transport

    @override
    def on_ws_frame(self, _: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take one frame; copies the payload once."""
        data = frame.get_payload_as_bytes()
        received_ns = self._received_ns
        if not received_ns:
            received_ns = self._received_ns = wall_ns()
            self._keepalive.heard = True
        try:
            if (
                self._plain
                and CONTROL_BYTES < len(data) <= self._max_bytes
                and frame.fin
            ):
                self._on_frame(data, received_ns)
            else:
                self._take(frame.msg_type, data, frame.fin)
            if frame.last_in_buffer:
                self._received_ns = 0
                if not self._muted:
                    self._receiver.on_chunk_end()
        except Exception as error:  # noqa: BLE001 - comes out of wait_closed
            self._end.fail(error)
            self._give_up("the receiver failed")

    @override
    def pause_writing(self) -> None:
        """Take the full write buffer for what it is."""
        self._give_up(UNREAD)

    @override
    def resume_writing(self) -> None:
        """Do nothing: after `pause_writing` nothing is sent any more."""

    @override
    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Tell the waiters how it ended."""
        self._keepalive.stop()
        shake = transport.close_handshake
        sent = None if shake is None else shake.sent  # type: ignore[redundant-expr]
        if sent is not None:
            # picows found an error in the stream itself, and said so.
            self._end.because(int(sent.code), sent.reason)  # type: ignore[call-overload]
        self._end.because(ABNORMAL, "broke without a close frame")
        self._end.finish()
        # picows keeps such an error for whoever waits; unasked, it would be logged.
        self._last_words = self._loop.create_task(_quietly(transport))

    # -- inside

    def _take(self, kind: picows.WSMsgType, data: bytes, fin: bool) -> None:  # noqa: FBT001 - a bit of the frame
        kinds = picows.WSMsgType
        if kind == kinds.CLOSE:
            self._on_close(data)
        elif self._muted or kind == kinds.PONG:
            return
        elif kind == kinds.PING:
            self._wire.send_pong(data)
        else:
            self._join(data, fin=fin, first=kind != kinds.CONTINUATION)

    def _join(self, data: bytes, *, fin: bool, first: bool) -> None:
        """Join fragments; picows checks neither their order nor their whole size."""
        if first is (self._parts is not None):
            self._refuse(PROTOCOL_ERROR, "fragments out of order")
            return
        parts = self._parts if self._parts is not None else bytearray()
        parts += data
        if len(parts) > self._max_bytes:
            self._refuse(TOO_BIG, f"message longer than {self._max_bytes} bytes")
            return
        self._parts, self._plain = (None, True) if fin else (parts, False)
        if fin:
            self._on_frame(bytes(parts), self._received_ns)

    def _on_close(self, data: bytes) -> None:
        code = int.from_bytes(data[:2], "big") if data else NO_CODE
        self._end.closed_by_venue(code, data[2:].decode(errors="replace"))
        self._mute()
        if not self._wire.is_close_frame_sent:
            self._wire.send_close(code if data else NORMAL)  # type: ignore[arg-type]
        self._end.expect()

    def _refuse(self, code: int, reason: str) -> None:
        self._mute()
        self._end.because(code, reason)
        self._wire.send_close(code, reason.encode())  # type: ignore[arg-type]
        self._end.expect()

    def _mute(self) -> None:
        self._muted = True
        self._plain = False

    def _ping(self) -> None:
        self._wire.send_ping(PING)

    def _give_up(self, reason: str) -> None:
        self._mute()
        self._end.because(ABNORMAL, reason)
        self._drop()

    def _drop(self) -> None:
        self._transport.abort()


async def _quietly(transport: picows.WSTransport) -> None:
    try:
        await transport.wait_disconnected()
    except Exception:  # noqa: BLE001 - the end of the connection tells it already
        return
