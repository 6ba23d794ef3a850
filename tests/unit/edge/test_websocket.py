"""Which transport serves, and what the portable one alone can do."""

import builtins
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bridge.core.model import Handshake
from bridge.edge import websocket
from bridge.edge.dial import Opening
from bridge.edge.picows_transport import PicowsTransport
from bridge.edge.transport import TransportOptions, UpgradeRefused
from bridge.edge.websockets_transport import WebSocketsTransport
from bridge.errors import ConfigError
from tests.support.running import Run
from tests.support.sockets import Recorder, connected

HANDSHAKE = Handshake("ws://venue.test/")


async def made(options: TransportOptions) -> type:
    return type(websocket._make(HANDSHAKE, Recorder(), options))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (TransportOptions(), PicowsTransport),
        (TransportOptions(kind="picows"), PicowsTransport),
        (TransportOptions(kind="websockets"), WebSocketsTransport),
        (TransportOptions(compression="deflate"), WebSocketsTransport),
        (TransportOptions(proxy="http://proxy:3128"), PicowsTransport),
    ],
)
def test_the_fast_transport_is_taken_where_it_can_serve(
    run: Run, options: TransportOptions, expected: type
) -> None:
    """Auto takes picows unless compression is asked for."""
    assert run(made(options)) is expected


def test_without_picows_auto_takes_the_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where picows is not installed, auto serves all the same; picows says why not."""
    original = builtins.__import__

    def missing(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "bridge.edge.picows_transport":
            raise ImportError(name)
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert run(made(TransportOptions())) is WebSocketsTransport
    with pytest.raises(ConfigError, match="pip install"):
        run(made(TransportOptions(kind="picows")))


def test_a_picows_built_differently_is_not_used(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picows whose inner class has other arguments leaves auto with the other."""

    def changed() -> None:
        """Take none of our arguments."""

    monkeypatch.setattr("bridge.edge.picows_upgrade._Core", changed)
    assert run(made(TransportOptions())) is WebSocketsTransport


def test_picows_with_compression_is_a_settings_error(run: Run) -> None:
    """Asking for both is refused, with what to do."""
    options = TransportOptions(kind="picows", compression="deflate")
    with pytest.raises(ConfigError, match="knows no compression"):
        run(made(options))


def test_compression_is_negotiated_when_asked_for(run: Run) -> None:
    """With deflate, compressed messages arrive as they were, bounded as ever."""

    async def handler(peer: ServerConnection) -> None:
        await peer.send("x" * 5000)
        await peer.send("y" * 20_000)
        await peer.wait_closed()

    async def main() -> None:
        options = TransportOptions(compression="deflate", max_message_bytes=10_000)
        receiver = Recorder()
        async with serve(handler, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            url = f"ws://127.0.0.1:{port}/"
            async with connected(url, receiver, options) as transport:
                closed = await transport.wait_closed()
        assert receiver.frames == [b"x" * 5000]
        assert closed.code == 1009

    run(main())


@pytest.mark.parametrize("url", ["http://venue/", "ws://", "venue"])
def test_another_url_is_a_settings_error(url: str) -> None:
    """Only ws:// and wss:// URLs with a host are taken."""
    with pytest.raises(ConfigError, match="ws:// or wss://"):
        Opening(url, TransportOptions())


def test_the_standard_ports_are_known() -> None:
    """A URL without a port means 80, or 443 with TLS."""
    options = TransportOptions()
    assert Opening("ws://venue/", options).where == "venue:80"
    assert Opening("wss://venue/", options).where == "venue:443"


def test_a_refusal_is_cut_and_stripped() -> None:
    """A refusal keeps 4096 bytes of its body, and only harmless headers."""
    headers = {"Server": "nginx", "Set-Cookie": "secret"}
    error = UpgradeRefused(503, b"x" * 5000, headers)
    assert error.body == b"x" * 4096
    assert error.headers == {"server": "nginx"}
    assert "503" in str(error)
