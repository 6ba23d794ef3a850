"""WebSocket serving with faults: `bridge.simulators.serving`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from bridge.simulators import serving
from bridge.simulators.clock import VirtualClock
from bridge.simulators.serving import Connection, Server, serve
from tests.support.running import Run, until


async def echo(connection: Connection) -> None:
    async for message in connection:
        connection.post(message)


@contextlib.asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Server]:
    server = await serve(options.pop("handler", echo), **options)
    try:
        yield server
    finally:
        await server.close()


def dial(server: Server, **options: Any) -> connect:
    return connect(
        f"ws://127.0.0.1:{server.port}", ping_interval=None, close_timeout=1, **options
    )


def test_text_binary_and_fragments(run: Run) -> None:
    """Text stays text, binary stays binary, fragments arrive as one message."""

    async def scene() -> list[str | bytes]:
        async with running() as server, dial(server) as client:
            await client.send("a")
            await client.send(b"b")
            got = [await client.recv(), await client.recv()]
            server.connections[0].post(["c", "d", "e"])
            server.connections[0].post(["f", "g"])
            return [*got, await client.recv(), await client.recv()]

    assert run(scene()) == ["a", b"b", "cde", "fg"]


def test_a_reset_has_no_close_frame(run: Run) -> None:
    """`kill` ends a connection with code 1006 at the client."""

    async def scene() -> tuple[int | None, int]:
        async with running() as server, dial(server) as client:
            assert server.kill() == 1
            with pytest.raises(ConnectionClosed):
                await client.recv()
            await until(lambda: not server.connections, "gone")
            return client.close_code, len(server._sockets)

    assert run(scene()) == (1006, 0)


def test_a_muted_connection_is_half_open(run: Run) -> None:
    """A muted connection neither answers, nor pongs, nor ends; unmuted it goes on."""

    async def scene() -> str | bytes:
        async with running() as server, dial(server) as client:
            assert server.mute() == 1
            assert server.connections[0].post("lost") is False
            await client.send("held")
            pong = asyncio.ensure_future(await client.ping())
            for _ in range(5):
                await asyncio.sleep(0.01)
            assert not pong.done()
            assert server.unmute() == 1
            got = await client.recv()
            await pong
            return got

    assert run(scene()) == "held"


def test_a_muted_connection_ends_with_the_server(run: Run) -> None:
    """Closing the server does not wait for a muted client."""

    async def scene() -> int | None:
        async with running() as server:
            client = await dial(server)
            server.mute()
            await server.close()
            await client.wait_closed()
            return client.close_code

    assert run(scene(), limit=5) == 1006


def test_a_slow_client_blocks_nobody(run: Run) -> None:
    """Posting to a client that does not read returns, and cuts it off at the bound."""

    async def scene() -> str | bytes:
        async with (
            running(backlog_bytes=100_000) as server,
            dial(server, max_queue=1) as slow,
            dial(server) as other,
        ):
            sleepy, awake = server.connections
            slow.transport.pause_reading()
            posted = 0
            while sleepy.post("x" * 100_000):
                posted += 1
                assert posted < 1000
                assert sleepy.backlog <= 300_000
            awake.post("still here")
            return await other.recv()

    assert run(scene()) == "still here"


def test_refused_connects(run: Run) -> None:
    """`stop_listening` refuses new clients and keeps old ones; `listen` takes them."""

    async def scene() -> list[str | bytes]:
        async with running() as server, dial(server) as old:
            port = server.port
            server.stop_listening()
            assert not server.listening
            with pytest.raises(ConnectionRefusedError):
                await dial(server)
            await old.send("old")
            first = await old.recv()
            await server.listen()
            await server.listen()
            assert server.port == port
            async with dial(server) as new:
                await new.send("new")
                return [first, await new.recv()]

    assert run(scene()) == ["old", "new"]


def test_too_many_connections(run: Run) -> None:
    """More than the limit from one address are refused with 429, and only then."""

    async def scene() -> int:
        async with running(max_connections_per_ip=1) as server:
            async with dial(server):
                with pytest.raises(InvalidStatus) as refused:
                    await dial(server)
            await until(lambda: not server._sockets, "left")
            async with dial(server):
                return refused.value.response.status_code

    assert run(scene()) == 429


def test_a_request_may_be_answered(run: Run) -> None:
    """`process_request` may answer instead of the handshake, at once or later."""

    async def gone(connection: Connection, _request: Request) -> Response:
        return connection.respond(410, "gone")

    async def scene() -> int:
        async with running(process_request=gone) as server:
            with pytest.raises(InvalidStatus) as refused:
                await dial(server)
            return refused.value.response.status_code

    assert run(scene()) == 410


def test_a_hanging_handshake_ends_with_its_client(run: Run) -> None:
    """A handshake that waits for virtual time is dropped when the client leaves."""

    async def scene() -> int:
        clock = VirtualClock(speed=0)

        async def hang(_connection: Connection, _request: Request) -> None:
            await clock.sleep(3600)

        async with running(process_request=hang) as server:
            dialling = asyncio.create_task(_open(server))
            await until(lambda: clock.sleepers == 1, "hanging")
            dialling.cancel()
            await until(lambda: clock.sleepers == 0, "dropped")
            return len(server._sockets)

    assert run(scene(), limit=5) == 0


async def _open(server: Server) -> ClientConnection:
    return await dial(server)


def test_a_handler_that_hangs_is_cancelled(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the server ends a handler that does not notice its client's end."""
    monkeypatch.setattr(serving, "_CLOSE_S", 0.05)

    async def stuck(_connection: Connection) -> None:
        await asyncio.Event().wait()

    async def scene() -> None:
        async with running(handler=stuck) as server:
            await dial(server)
            await until(lambda: len(server.connections) == 1, "there")

    run(scene(), limit=10)


def test_no_subprotocol_unless_selected(run: Run) -> None:
    """Offered sub-protocols are not echoed by default."""

    async def scene() -> str | None:
        async with running() as server, dial(server, subprotocols=["a"]) as client:
            return client.subprotocol

    assert run(scene()) is None


def test_compression_is_off_unless_asked(run: Run) -> None:
    """permessage-deflate is negotiated only with `compression`."""

    async def scene(compression: str | None) -> bool:
        async with running(compression=compression) as server, dial(server) as client:
            return bool(client.protocol.extensions)

    assert run(scene(None)) is False
    assert run(scene("deflate")) is True


def test_a_missing_pong_ends_the_connection(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With server pings a client that does not read is closed with 1011."""
    monkeypatch.setattr(serving, "_CLOSE_S", 0.05)

    async def scene() -> None:
        pings = {"ping_interval_s": 0.02, "ping_timeout_s": 0.02}
        async with running(**pings) as server:
            client = await dial(server)
            client.transport.pause_reading()
            await until(lambda: not server._sockets, "cut off")
            client.transport.abort()

    run(scene(), limit=10)
