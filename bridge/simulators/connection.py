"""One client's WebSocket, on the side of a simulator."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Sequence
from typing import Any, Protocol

from websockets.asyncio import server as ws
from websockets.protocol import State

# A frame to post: text, binary, or the fragments of one text message.
Payload = str | bytes | Sequence[str]

LOG = logging.getLogger("feedbridge.simulators")
# A linger time of zero makes the kernel answer a close with a reset.
_RESET = struct.pack("ii", 1, 0)


class Hub(Protocol):
    """What a connection tells its server."""

    backlog_bytes: int

    def joined(self, connection: Connection) -> None:
        """Note a new socket."""

    def left(self, connection: Connection) -> None:
        """Note the end of a socket."""


class Connection(ws.ServerConnection):
    """One client's WebSocket; iterate over it for messages, `post` to answer."""

    def __init__(self, *args: Any, hub: Hub, number: int, **kwargs: Any) -> None:  # noqa: ANN401 - passed through
        super().__init__(*args, **kwargs)
        self._hub = hub
        self._held: list[bytes] = []
        self.number = number
        self.muted = False
        self.ip = ""

    @property
    def alive(self) -> bool:
        """Tell whether a frame posted now can be written."""
        if self.muted or self.transport.is_closing():
            return False
        return self.protocol.state is State.OPEN

    @property
    def backlog(self) -> int:
        """Return how many bytes wait for the client to read."""
        return self.transport.get_write_buffer_size()

    def post(self, payload: Payload) -> bool:
        """Write one message without waiting; False if it was not (muted, closed)."""
        if not self.alive:
            return False
        if self.backlog > self._hub.backlog_bytes:
            LOG.warning("connection %d does not read: reset", self.number)
            self.kill()
            return False
        self._frame(payload)
        self.send_data()
        return True

    def kill(self) -> None:
        """Cut the connection by a TCP reset, without a close frame."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def mute(self) -> None:
        """Go half-open: neither read nor write, not even a pong or the end."""
        self.muted = True
        self.transport.pause_reading()

    def unmute(self) -> None:
        """Read and write again; what was posted meanwhile is lost."""
        self.muted = False
        held, self._held = self._held, []
        for data in held:
            self.data_received(data)
        self.transport.resume_reading()
        self.send_data()

    # Overrides are marked by comments: typing.override needs Python 3.12.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # type: ignore[explicit-override]
        """Join the hub."""
        peer = transport.get_extra_info("peername")
        self.ip = str(peer[0]) if peer else ""
        self._hub.joined(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[explicit-override]
        """Leave the hub."""
        super().connection_lost(exc)
        self._hub.left(self)

    def data_received(self, data: bytes) -> None:  # type: ignore[explicit-override]
        """Take what was read; hold it while muted."""
        if self.muted:
            # A resumed queue may switch reading on again; hold what comes through.
            self._held.append(data)
            self.transport.pause_reading()
            return
        super().data_received(data)

    def send_data(self) -> None:  # type: ignore[explicit-override]
        """Write what the protocol has ready, unless muted."""
        if not self.muted:
            super().send_data()

    def _frame(self, payload: Payload) -> None:
        if isinstance(payload, str):
            self.protocol.send_text(payload.encode())
        elif isinstance(payload, bytes):
            self.protocol.send_binary(payload)
        else:
            self.protocol.send_text(payload[0].encode(), fin=False)
            for part in payload[1:-1]:
                self.protocol.send_continuation(part.encode(), fin=False)
            self.protocol.send_continuation(payload[-1].encode(), fin=True)
