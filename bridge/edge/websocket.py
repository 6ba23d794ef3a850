"""Opens WebSocket connections: `connect` chooses the transport that can serve."""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

from bridge.core.model import Handshake, Receiver, Transport
from bridge.edge.dial import Opening, opening
from bridge.edge.transport import TransportOptions, Unfit, UpgradeRefused
from bridge.errors import ConfigError

__all__ = ["TransportOptions", "UpgradeRefused", "connect"]

NO_PICOWS = (
    "transport: picows was asked for and cannot serve: a fitting version must be"
    " installed (pip install 'feedbridge[fast]'), and it knows no compression"
)


async def connect(
    handshake: Handshake, receiver: Receiver, options: TransportOptions
) -> Transport:
    """Open a WebSocket connection whose messages go to `receiver`.

    Args:
        handshake: URL, headers and sub-protocols.
        receiver: called for every message, from the loop's next turn on.
        options: which transport, and how patient.

    Raises:
        UpgradeRefused: the server answered with another status than 101.
        VenueUnreachable: anything else; the message names the step that failed.
        ConfigError: the URL or the proxy is none, or picows cannot serve.
    """
    wire = _make(handshake, receiver, options)
    async with opening(handshake.url, options) as (step, sock):
        await wire.open(step, sock)
    return wire


class Wire(Transport, Protocol):
    """A transport that is not open yet."""

    async def open(self, step: Opening, sock: socket.socket) -> None:
        """Upgrade a connected socket."""


def _make(handshake: Handshake, receiver: Receiver, options: TransportOptions) -> Wire:
    # Each library costs memory and start-up time: only the chosen one is imported.
    if options.kind != "websockets":
        with contextlib.suppress(ImportError, Unfit):
            from bridge.edge.picows_transport import PicowsTransport  # noqa: PLC0415

            return PicowsTransport(handshake, receiver, options)
    if options.kind == "picows":
        raise ConfigError([NO_PICOWS])
    from bridge.edge.websockets_transport import WebSocketsTransport  # noqa: PLC0415

    return WebSocketsTransport(handshake, receiver, options)
