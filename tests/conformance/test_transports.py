"""Both WebSocket transports behave alike: every rule is checked on each."""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from bridge.core.model import Handshake, Transport
from bridge.edge.transport import Peer
from bridge.edge.websocket import TransportOptions, UpgradeRefused, connect
from bridge.errors import ConfigError, VenueUnreachable
from tests.support.certificates import Certificates, make_certificates
from tests.support.proxy import Proxy
from tests.support.running import Run, until
from tests.support.sockets import Recorder, connected, raw_server

MEGABYTE = 1024 * 1024
Handler = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(params=["websockets", "picows"])
def options(request: pytest.FixtureRequest) -> TransportOptions:
    return TransportOptions(kind=request.param, open_timeout_s=5.0, close_timeout_s=0.3)


@contextlib.asynccontextmanager
async def serving(handler: Handler, **named: Any) -> AsyncIterator[int]:
    """Serve WebSockets on loopback; hands out the port."""
    named = {"ping_interval": None, "compression": None, "close_timeout": 0.3} | named
    async with serve(handler, "127.0.0.1", 0, **named) as server:
        yield port_of(server)


def port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


def sending(*messages: str | bytes | list[str]) -> Handler:
    """Send messages, lists as fragments, then wait for the end."""

    async def handler(peer: ServerConnection) -> None:
        for message in messages:
            await peer.send(message)
        await peer.wait_closed()

    return handler


async def silent(peer: ServerConnection) -> None:
    await peer.wait_closed()


def ws(port: int) -> str:
    return f"ws://127.0.0.1:{port}/feed"


# -- messages


def test_text_and_binary_arrive_as_bytes_in_order(
    options: TransportOptions, run: Run
) -> None:
    """Text and binary messages come as the bytes that were sent, in order."""

    async def main() -> None:
        receiver = Recorder()
        async with (
            serving(sending("ä", b"\x00\xff", "", "x" * 300)) as port,
            connected(ws(port), receiver, options),
        ):
            await receiver.wait_for(4)
        assert receiver.frames == ["ä".encode(), b"\x00\xff", b"", b"x" * 300]
        assert all(type(frame) is bytes for frame in receiver.frames)

    run(main())


def test_order_holds_over_many_reads(options: TransportOptions, run: Run) -> None:
    """Ten thousand messages arrive in order, and each read ends with one chunk end."""

    async def main() -> None:
        receiver = Recorder()
        messages = [f"{n}:{'x' * (n % 300)}" for n in range(10_000)]
        async with (
            serving(sending(*messages)) as port,
            connected(ws(port), receiver, options),
        ):
            await receiver.wait_for(len(messages))
        assert receiver.frames == [message.encode() for message in messages]
        assert receiver.log[-1] == "end"
        assert 0 < receiver.chunk_ends < len(messages)

    run(main())


@pytest.mark.parametrize("size", [10, 70_000])
def test_fragments_are_joined(options: TransportOptions, run: Run, size: int) -> None:
    """A fragmented message is one message, even with a ping between its parts."""

    async def main() -> None:
        async def handler(peer: ServerConnection) -> None:
            peer.protocol.send_text(b"a" * size, fin=False)
            peer.send_data()
            pong = await peer.ping()
            peer.protocol.send_continuation(b"b" * size, fin=False)
            peer.protocol.send_continuation(b"c" * size, fin=True)
            peer.send_data()
            await pong
            await peer.send("next")
            await peer.wait_closed()

        receiver = Recorder()
        async with (
            serving(handler) as port,
            connected(ws(port), receiver, options),
        ):
            await receiver.wait_for(2)
        assert receiver.frames == [b"a" * size + b"b" * size + b"c" * size, b"next"]

    run(main())


def test_a_large_message_passes(options: TransportOptions, run: Run) -> None:
    """A message of 10 MB arrives whole."""

    async def main() -> None:
        receiver = Recorder()
        large = bytes(range(256)) * (10 * MEGABYTE // 256)
        async with (
            serving(sending(large, "after")) as port,
            connected(ws(port), receiver, options),
        ):
            await receiver.wait_for(2)
        assert receiver.frames == [large, b"after"]

    run(main())


@pytest.mark.parametrize("fragmented", [False, True])
def test_a_message_above_the_limit_ends_the_connection(
    options: TransportOptions, run: Run, fragmented: bool
) -> None:
    """A message longer than allowed is refused with 1009 and a reason."""

    async def main() -> None:
        codes: list[int | None] = []

        async def handler(peer: ServerConnection) -> None:
            await peer.send("first")
            with contextlib.suppress(ConnectionClosed):
                await peer.send(["x" * 800, "y" * 800] if fragmented else "x" * 1001)
                await peer.wait_closed()
            codes.append(peer.close_code)

        receiver = Recorder()
        small = dataclasses.replace(options, max_message_bytes=1000)
        async with (
            serving(handler) as port,
            connected(ws(port), receiver, small) as transport,
        ):
            closed = await transport.wait_closed()
            await until(lambda: bool(codes), "the server's end")
        assert closed.code == 1009
        assert "1000" in closed.detail
        assert codes == [1009]
        assert receiver.frames == [b"first"]

    run(main())


def test_a_message_at_the_limit_passes(options: TransportOptions, run: Run) -> None:
    """The limit itself is allowed, whole or in fragments."""

    async def main() -> None:
        receiver = Recorder()
        small = dataclasses.replace(options, max_message_bytes=1000)
        async with (
            serving(sending("x" * 1000, ["y" * 500, "z" * 500])) as port,
            connected(ws(port), receiver, small),
        ):
            await receiver.wait_for(2)
        assert [len(frame) for frame in receiver.frames] == [1000, 1000]

    run(main())


def test_a_chunk_ends_after_a_ping(options: TransportOptions, run: Run) -> None:
    """A read whose last frame is a ping ends with a chunk end like any other."""

    async def main() -> None:
        async def handler(peer: ServerConnection) -> None:
            peer.protocol.send_text(b"data")
            peer.protocol.send_ping(b"last")
            peer.send_data()
            await peer.wait_closed()

        receiver = Recorder()
        async with (
            serving(handler) as port,
            connected(ws(port), receiver, options),
        ):
            await until(lambda: receiver.log == ["frame", "end"], "the chunk end")

    run(main())


def test_stamps_are_unix_time(
    options: TransportOptions, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message carries the wall clock's time of the read it came with."""
    for module in ("picows_transport", "websockets_transport"):
        monkeypatch.setattr(f"bridge.edge.{module}.wall_ns", lambda: 1_700_000_000)

    async def main() -> None:
        receiver = Recorder()
        async with (
            serving(sending("a", "b" * 200)) as port,
            connected(ws(port), receiver, options),
        ):
            await receiver.wait_for(2)
        assert receiver.stamps == [1_700_000_000] * 2

    run(main())


def test_nothing_comes_before_the_caller_is_ready(
    options: TransportOptions, run: Run
) -> None:
    """What a server sends together with its 101 waits until `connect` returned."""

    async def main() -> None:
        async def hello(reader: Any, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            frames = b"".join(
                Frame(Opcode.TEXT, text).serialize(mask=False)
                for text in (b"hello", b"x" * 300)
            )
            writer.write(accept(head) + frames)
            await reader.read()

        receiver = Recorder()
        async with (
            raw_server(hello) as port,
            connected(ws(port), receiver, options),
        ):
            assert receiver.frames == []
            await receiver.wait_for(2)
        assert receiver.frames == [b"hello", b"x" * 300]

    run(main())


def accept(head: bytes, *more: str) -> bytes:
    """Return the head of a 101 for the request `head`."""
    key = next(
        line.split(": ", 1)[1]
        for line in head.decode().split("\r\n")
        if line.lower().startswith("sec-websocket-key")
    )
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_text_is_sent(options: TransportOptions, run: Run) -> None:
    """A text goes out as one text frame, with any characters."""

    async def main() -> None:
        got: list[object] = []

        async def handler(peer: ServerConnection) -> None:
            got.extend([message async for message in peer])

        async with (
            serving(handler) as port,
            connected(ws(port), Recorder(), options) as transport,
        ):
            for text in ("{}", "ä" * 70_000, ""):
                transport.send(text)
            await transport.close()
            await until(lambda: len(got) == 3, "three texts")
        assert got == ["{}", "ä" * 70_000, ""]

    run(main())


def test_sending_after_the_end_does_nothing(
    options: TransportOptions, run: Run
) -> None:
    """Nothing happens, and nothing is raised, on a connection that is closed."""

    async def main() -> None:
        async with (
            serving(silent) as port,
            connected(ws(port), Recorder(), options) as transport,
        ):
            await transport.close()
            transport.send("late")
            transport.pause()
            transport.resume()
            transport.abort()
            await transport.close()

    run(main())


# -- pause and resume


def test_pause_blocks_the_server_and_loses_nothing(
    options: TransportOptions, run: Run
) -> None:
    """While paused no message comes and the server's send blocks; then all come."""

    async def main() -> None:
        sent = 0
        total = 400

        async def handler(peer: ServerConnection) -> None:
            nonlocal sent
            for number in range(total):
                await peer.send(f"{number}:".ljust(100_000, "x"))
                sent += 1
            await peer.wait_closed()

        receiver = Recorder()
        async with (
            serving(handler, write_limit=1024) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            transport.pause()
            await steady(lambda: sent)
            assert sent < total
            assert receiver.frames == []
            transport.resume()
            await receiver.wait_for(total)
        numbers = [int(frame.split(b":")[0]) for frame in receiver.frames]
        assert numbers == list(range(total))

    run(main())


async def steady(count: Callable[[], int]) -> None:
    """Wait until a count has stopped changing."""
    last = -1
    while last != count():
        last = count()
        await asyncio.sleep(0.2)


def test_a_chunk_is_bounded(options: TransportOptions, run: Run) -> None:
    """However much has piled up, a chunk holds 256 KiB and one message at most."""

    async def main() -> None:
        message, total = "x" * 500, 16_000

        async def handler(peer: ServerConnection) -> None:
            for _ in range(total):
                await peer.send(message)
            await peer.wait_closed()

        receiver = Recorder()
        async with (
            serving(handler) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            for _ in range(5):
                transport.pause()
                await asyncio.sleep(0.05)
                transport.resume()
                await asyncio.sleep(0.02)
            await receiver.wait_for(total)
        sizes = [
            len(chunk) // 2
            for chunk in "".join(
                "f." if entry == "frame" else "|" for entry in receiver.log
            ).split("|")
        ]
        assert sum(sizes) == total
        assert max(sizes) <= 256 * 1024 // 504 + 1
        assert max(sizes) > 1

    run(main())


def test_pausing_at_a_chunk_end_holds_the_next_chunk(
    options: TransportOptions, run: Run
) -> None:
    """A receiver may pause from within its chunk end."""

    async def main() -> None:
        async def handler(peer: ServerConnection) -> None:
            await peer.send("first")
            await peer.recv()
            await peer.send("second")
            await peer.wait_closed()

        receiver = Recorder()
        async with (
            serving(handler) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            receiver.on_end = transport.pause
            await receiver.wait_for(1)
            transport.send("go on")
            await asyncio.sleep(0.2)
            assert receiver.frames == [b"first"]
            receiver.on_end = None
            transport.resume()
            await receiver.wait_for(2)

    run(main())


# -- keepalive


def test_pings_are_answered(options: TransportOptions, run: Run) -> None:
    """Each ping of the server gets its pong."""

    async def main() -> None:
        answered: list[float] = []

        async def handler(peer: ServerConnection) -> None:
            pongs = [await peer.ping() for _ in range(3)]
            answered.extend([await pong for pong in pongs])
            await peer.wait_closed()

        async with (
            serving(handler) as port,
            connected(ws(port), Recorder(), options),
        ):
            await until(lambda: len(answered) == 3, "three pongs")

    run(main())


def test_pings_go_out_also_while_paused(options: TransportOptions, run: Run) -> None:
    """Our pings go on while paused, and their unread pongs end nothing."""

    async def main() -> None:
        receiver = Recorder()
        lively = dataclasses.replace(options, ping_interval_s=0.05, ping_timeout_s=0.1)
        pings = 0

        async def count(reader: asyncio.StreamReader, writer: Any) -> None:
            nonlocal pings
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(accept(head))
            while data := await reader.read(1000):
                pings += data.count(b"\x89")
                writer.write(Frame(Opcode.PONG, b"feedbridge").serialize(mask=False))

        async with (
            raw_server(count) as port,
            connected(ws(port), receiver, lively) as transport,
        ):
            transport.pause()
            await until(lambda: pings >= 8, "pings while paused")
            ended = asyncio.ensure_future(transport.wait_closed())
            transport.resume()
            before = pings
            await until(lambda: pings >= before + 8, "pings after resume")
            assert not ended.done()
            ended.cancel()

    run(main())


def test_a_half_open_connection_is_noticed(options: TransportOptions, run: Run) -> None:
    """When nothing at all arrives after a ping, the connection is given up."""

    async def main() -> None:
        quick = dataclasses.replace(options, ping_interval_s=0.05, ping_timeout_s=0.2)
        async with (
            serving(silent) as server,
            Proxy("127.0.0.1", server) as proxy,
            connected(ws(proxy.port), Recorder(), quick) as transport,
        ):
            ended = asyncio.ensure_future(transport.wait_closed())
            await asyncio.sleep(0.5)
            assert not ended.done()
            proxy.half_open()
            closed = await ended
        assert closed.code == 1006
        assert "0.2 s after a ping" in closed.detail

    run(main())


def test_data_counts_as_life(options: TransportOptions, run: Run) -> None:
    """A server that never answers pings is kept as long as it sends data."""

    async def main() -> None:
        async def talk(reader: asyncio.StreamReader, writer: Any) -> None:
            writer.write(accept(await reader.readuntil(b"\r\n\r\n")))
            for _ in range(40):
                writer.write(Frame(Opcode.TEXT, b"tick").serialize(mask=False))
                await asyncio.sleep(0.02)
            await reader.read(-1)

        receiver = Recorder()
        quick = dataclasses.replace(options, ping_interval_s=0.05, ping_timeout_s=0.2)
        async with (
            raw_server(talk) as port,
            connected(ws(port), receiver, quick) as transport,
        ):
            await receiver.wait_for(40)
            closed = await transport.wait_closed()
        assert "after a ping" in closed.detail

    run(main())


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_server_that_pings_and_does_not_read_is_given_up(
    options: TransportOptions,
    run: Run,
    certificates: Certificates,
    scheme: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its pongs wait in memory, no more than a bound of them; then nothing is sent."""

    async def main() -> None:
        waiting = [0]

        async def deaf(reader: asyncio.StreamReader, writer: Any) -> None:
            writer.write(accept(await reader.readuntil(b"\r\n\r\n")))
            writer.transport.pause_reading()
            pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=False) * 100
            while not writer.is_closing():  # with TLS, drain tells nothing of an end
                writer.write(pings)
                await writer.drain()
                await asyncio.sleep(0)

        def note() -> None:
            raw: Any = transport
            waiting.append(raw._transport.get_write_buffer_size())

        receiver = Recorder()
        receiver.on_end = note
        trusting = dataclasses.replace(options, tls_ca_file=str(certificates.authority))
        tls = {"ssl": server_tls(certificates)} if scheme == "wss" else {}
        async with (
            raw_server(deaf, **tls) as port,
            connected(f"{scheme}://127.0.0.1:{port}/", receiver, trusting) as transport,
        ):
            closed = await transport.wait_closed()
        assert closed.code == 1006
        assert "does not read" in closed.detail
        assert 64 * 1024 < max(waiting) <= MEGABYTE
        said = [record.getMessage() for record in caplog.records]
        assert not [text for text in said if "closed" in text or "send()" in text]

    run(main())


# -- the end


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (4001, "ä")])
def test_the_servers_close_code_is_told(
    options: TransportOptions, run: Run, code: int, reason: str
) -> None:
    """The server's close code and reason come out of wait_closed."""

    async def main() -> None:
        codes: list[int | None] = []

        async def handler(peer: ServerConnection) -> None:
            await peer.send("last")
            await peer.close(code, reason)
            codes.append(peer.close_code)

        receiver = Recorder()
        async with (
            serving(handler) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            closed = await transport.wait_closed()
            await until(lambda: bool(codes), "the server's end")
        assert closed.code == code
        assert reason in closed.detail
        assert codes == [code]
        assert receiver.frames == [b"last"]

    run(main())


def test_a_close_frame_without_a_code_is_1005(
    options: TransportOptions, run: Run
) -> None:
    """An empty close frame is told as 1005 (RFC 6455, section 7.1.5)."""

    async def main() -> None:
        async def handler(peer: ServerConnection) -> None:
            peer.protocol.send_close()
            peer.send_data()
            await peer.wait_closed()

        async with (
            serving(handler) as port,
            connected(ws(port), Recorder(), options) as transport,
        ):
            assert (await transport.wait_closed()).code == 1005

    run(main())


@pytest.mark.parametrize("how", ["reset", "close", "cut"])
def test_an_abrupt_end_is_1006(options: TransportOptions, run: Run, how: str) -> None:
    """A connection that breaks without a close frame ends with 1006."""

    async def main() -> None:
        receiver = Recorder()
        async with (
            serving(sending("one", "x" * MEGABYTE)) as server,
            Proxy("127.0.0.1", server) as proxy,
        ):
            if how == "cut":
                proxy.cut_after(5000)
            async with connected(ws(proxy.port), receiver, options) as transport:
                await receiver.wait_for(1)
                if how == "reset":
                    proxy.reset()
                elif how == "close":
                    proxy.close()
                closed = await transport.wait_closed()
        assert closed.code == 1006
        assert closed.detail

    run(main())


def test_close_says_1000_and_waits_for_the_answer(
    options: TransportOptions, run: Run
) -> None:
    """Our close is a close frame 1000, answered by the server."""

    async def main() -> None:
        codes: list[int | None] = []

        async def handler(peer: ServerConnection) -> None:
            await peer.wait_closed()
            codes.append(peer.close_code)

        async with (
            serving(handler) as port,
            connected(ws(port), Recorder(), options) as transport,
        ):
            await transport.close()
            closed = await transport.wait_closed()
            await until(lambda: bool(codes), "the server's end")
        assert codes == [1000]
        assert closed.code == 1000

    run(main())


def test_close_while_paused_and_flooded_is_clean(
    options: TransportOptions, run: Run
) -> None:
    """Close works while paused; what the server still sends is not delivered."""

    async def main() -> None:
        async def flood(peer: ServerConnection) -> None:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await peer.send("x" * 1000)

        receiver = Recorder()
        async with (
            serving(flood) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            await receiver.wait_for(1)
            transport.pause()
            await transport.close()
            seen = len(receiver.frames)
            assert (await transport.wait_closed()).code == 1000
        assert len(receiver.frames) == seen

    run(main())


@pytest.mark.parametrize("fault", ["half_open", "swallow"])
def test_close_gives_a_silent_peer_up(
    options: TransportOptions, run: Run, fault: str
) -> None:
    """Close ends within its time-out when the server does not answer."""

    async def main() -> None:
        async with (
            serving(silent) as server,
            Proxy("127.0.0.1", server) as proxy,
            connected(ws(proxy.port), Recorder(), options) as transport,
        ):
            getattr(proxy, fault)()
            async with asyncio.timeout(options.close_timeout_s + 1):
                await transport.close()
                await transport.wait_closed()

    run(main())


def test_abort_ends_at_once(options: TransportOptions, run: Run) -> None:
    """Abort sends no close frame and waits for nothing."""

    async def main() -> None:
        codes: list[int | None] = []

        async def handler(peer: ServerConnection) -> None:
            await peer.wait_closed()
            codes.append(peer.close_code)

        async with (
            serving(handler) as port,
            connected(ws(port), Recorder(), options) as transport,
        ):
            transport.abort()
            closed = await transport.wait_closed()
            await until(lambda: bool(codes), "the server's end")
        assert closed.code == 1006
        assert codes == [1006]

    run(main())


@pytest.mark.parametrize("text", ["short", "x" * 300])
def test_the_receivers_exception_comes_out(
    options: TransportOptions, run: Run, text: str
) -> None:
    """What on_frame raises ends the connection and is raised by wait_closed."""

    async def main() -> None:
        receiver = Recorder()
        receiver.error = RuntimeError("a bug")
        async with (
            serving(sending(text, text, text)) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            with pytest.raises(RuntimeError, match="a bug"):
                await transport.wait_closed()
            await transport.close()

    run(main())


def test_an_exception_at_a_chunk_end_comes_out(
    options: TransportOptions, run: Run
) -> None:
    """What on_chunk_end raises is treated alike."""

    async def main() -> None:
        def fail() -> None:
            raise RuntimeError("a bug")

        receiver = Recorder()
        receiver.on_end = fail
        async with (
            serving(sending("x")) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            with pytest.raises(RuntimeError, match="a bug"):
                await transport.wait_closed()

    run(main())


@pytest.mark.parametrize("end", ["close", "abort", "venue"])
def test_an_abort_after_the_end_does_nothing(
    options: TransportOptions, run: Run, end: str
) -> None:
    """Whoever cleans up may abort without asking how the connection ended."""

    async def main() -> None:
        async def handler(peer: ServerConnection) -> None:
            if end == "venue":
                await peer.close(1001, "bye")
            await peer.wait_closed()

        async with (
            serving(handler) as port,
            connected(ws(port), Recorder(), options) as transport,
        ):
            if end == "close":
                await transport.close()
            elif end == "abort":
                transport.abort()
            first = await transport.wait_closed()
            transport.abort()
            transport.send("late")
            await transport.close()
            assert await transport.wait_closed() == first

    run(main())


def test_abort_within_a_callback_stops_delivery(
    options: TransportOptions, run: Run
) -> None:
    """After an abort nothing of the same read is delivered any more."""

    async def main() -> None:
        receiver = Recorder()
        held: list[Transport] = []
        on_frame = receiver.on_frame

        def drop(data: bytes, received_ns: int) -> None:
            on_frame(data, received_ns)
            held[0].abort()

        receiver.on_frame = drop  # type: ignore[method-assign]
        async with serving(sending(*["x" * 200] * 50)) as port:
            transport = await connect(Handshake(ws(port)), receiver, options)
            held.append(transport)
            await transport.wait_closed()
        assert len(receiver.frames) == 1
        assert receiver.chunk_ends == 0

    run(main())


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(b"\x00\x01a", id="continuation of nothing"),
        pytest.param(b"\x01\x01a\x81\x01b", id="text within fragments"),
        pytest.param(b"\x83\x00", id="unknown opcode"),
        pytest.param(b"\x81\x81\x00\x00\x00\x00a", id="masked by the server"),
    ],
)
def test_a_broken_stream_is_1002(
    options: TransportOptions, run: Run, frames: bytes
) -> None:
    """Frames against RFC 6455 end the connection with 1002 and deliver nothing."""

    async def main() -> None:
        async def serve_it(reader: asyncio.StreamReader, writer: Any) -> None:
            writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + frames)
            await reader.read(1000)

        receiver = Recorder()
        async with (
            raw_server(serve_it) as port,
            connected(ws(port), receiver, options) as transport,
        ):
            closed = await transport.wait_closed()
        assert closed.code == 1002
        assert receiver.frames == []

    run(main())


# -- the upgrade


BODY = b'{"error":6}'


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([b"Content-Length: 11\r\n\r\n" + BODY], id="one segment"),
        pytest.param([b"Content-Length: 11\r\n\r\n", BODY[:4], BODY[4:]], id="several"),
        pytest.param(
            [b"Transfer-Encoding: chunked\r\n\r\n", b"b\r\n" + BODY + b"\r\n0\r\n\r\n"],
            id="chunked",
        ),
        pytest.param([b"Connection: close\r\n\r\n", BODY], id="until the end"),
    ],
)
def test_a_refused_upgrade_tells_status_and_body(
    options: TransportOptions, run: Run, parts: list[bytes]
) -> None:
    """A refusal carries its status and its whole body, however it was cut up."""

    async def main() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 400 Bad Request\r\nSet-Cookie: secret\r\n")
            writer.write(b"Retry-After: 7\r\n")
            for part in parts:
                await asyncio.sleep(0.02)
                writer.write(part)
                await writer.drain()

        async with raw_server(refuse) as port:
            with pytest.raises(UpgradeRefused) as caught:
                await connect(Handshake(ws(port)), Recorder(), options)
        assert (caught.value.status, caught.value.body) == (400, BODY)
        assert caught.value.headers == {"retry-after": "7"}

    run(main())


def test_a_redirect_is_a_refusal(options: TransportOptions, run: Run) -> None:
    """Redirects are not followed: credentials go to the configured host alone."""

    async def main() -> None:
        async def move(reader: asyncio.StreamReader, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n")
            writer.write(b"Content-Length: 0\r\n\r\n")
            await writer.drain()

        async with raw_server(move) as port:
            with pytest.raises(UpgradeRefused) as caught:
                await connect(Handshake(ws(port)), Recorder(), options)
        assert caught.value.status == 302

    run(main())


def test_headers_and_path_go_out(options: TransportOptions, run: Run) -> None:
    """Path, query and every header of the handshake reach the server."""

    async def main() -> None:
        seen: list[Any] = []

        async def handler(peer: ServerConnection) -> None:
            seen.append(peer.request)
            await peer.wait_closed()

        async with serving(handler) as port:
            handshake = Handshake(
                f"ws://127.0.0.1:{port}/ws/v4?a=b",
                (("EFX-Key", "k"), ("EFX-Sign", "s=")),
            )
            transport = await connect(handshake, Recorder(), options)
            await transport.close()
        request = seen[0]
        assert request.path == "/ws/v4?a=b"
        assert request.headers["EFX-Key"] == "k"
        assert request.headers["EFX-Sign"] == "s="
        assert request.headers["Host"] == f"127.0.0.1:{port}"
        assert request.headers["User-Agent"] == "feedbridge"
        assert "Sec-WebSocket-Extensions" not in request.headers

    run(main())


OFFERED = ("cfb", "user", "password")


@pytest.mark.parametrize("echo", [(), ("Sec-WebSocket-Protocol: cfb",)])
def test_a_subprotocol_may_be_echoed_or_not(
    options: TransportOptions, run: Run, echo: tuple[str, ...]
) -> None:
    """An echo of the accepted name, or none at all, opens the connection."""

    async def main() -> None:
        heads: list[bytes] = []

        async def serve_it(reader: asyncio.StreamReader, writer: Any) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(accept(heads[0], *echo))
            await reader.read()

        strict = dataclasses.replace(options, accepted_subprotocols=("cfb",))
        async with raw_server(serve_it) as port:
            handshake = Handshake(ws(port), (), OFFERED)
            transport = await connect(handshake, Recorder(), strict)
            transport.abort()
            await transport.wait_closed()
        assert b"\r\nSec-WebSocket-Protocol: cfb, user, password\r\n" in heads[0]

    run(main())


@pytest.mark.parametrize("echo", ["password", "other"])
def test_an_echoed_credential_is_refused_unseen(
    options: TransportOptions, run: Run, echo: str
) -> None:
    """An echo that is not accepted ends the attempt; its text is told nowhere."""

    async def main() -> None:
        async def serve_it(reader: asyncio.StreamReader, writer: Any) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(accept(head, f"Sec-WebSocket-Protocol: {echo}"))
            await reader.read()

        strict = dataclasses.replace(options, accepted_subprotocols=("cfb",))
        async with raw_server(serve_it) as port:
            with pytest.raises(VenueUnreachable, match="upgrade: ") as caught:
                await connect(Handshake(ws(port), (), OFFERED), Recorder(), strict)
        assert echo not in str(caught.value)

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="not HTTP"),
        pytest.param(b"", id="closed"),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
            id="wrong key",
        ),
    ],
)
def test_no_websocket_answer_is_unreachable(
    options: TransportOptions, run: Run, answer: bytes
) -> None:
    """Whatever else a server answers: the venue is unreachable, in step upgrade."""

    async def main() -> None:
        async def serve_it(reader: asyncio.StreamReader, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

        async with raw_server(serve_it) as port:
            with pytest.raises(VenueUnreachable, match="upgrade: "):
                await connect(Handshake(ws(port)), Recorder(), options)

    run(main())


@pytest.mark.parametrize(
    ("date", "known"),
    [
        ("Sat, 01 Jan 2000 00:00:00 GMT", True),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", False),
    ],
)
def test_the_servers_clock_is_told_where_it_shows_one(
    options: TransportOptions, run: Run, date: str, known: bool
) -> None:
    """A Date that is none leaves the connection as it is."""

    async def main() -> None:
        async def serve_it(reader: asyncio.StreamReader, writer: Any) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(accept(head, f"Date: {date}"))
            await reader.read()

        peers: list[Peer] = []
        curious = dataclasses.replace(options, on_peer=peers.append)
        async with (
            raw_server(serve_it) as port,
            connected(ws(port), Recorder(), curious),
        ):
            ahead_s = peers[0].clock_ahead_s
        assert (ahead_s is not None) is known
        assert ahead_s is None or ahead_s < -1e8

    run(main())


def test_any_trouble_of_an_opening_names_its_step(
    options: TransportOptions, run: Run
) -> None:
    """What nobody foresaw ends the attempt, and no more than that."""

    async def main() -> None:
        def trip(_: Peer) -> None:
            raise OverflowError("a number of the server's")

        tripping = dataclasses.replace(options, on_peer=trip)
        async with serving(silent) as port:
            with pytest.raises(VenueUnreachable, match="upgrade: a number") as caught:
                await connect(Handshake(ws(port)), Recorder(), tripping)
        assert isinstance(caught.value.__cause__, OverflowError)

    run(main())


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_mute_server_times_out(
    options: TransportOptions, run: Run, scheme: str
) -> None:
    """A server that accepts and says nothing is given up after the open time-out."""

    async def main() -> None:
        async def mute(reader: asyncio.StreamReader, writer: Any) -> None:
            await asyncio.sleep(30)

        quick = dataclasses.replace(options, open_timeout_s=0.2)
        step = "upgrade" if scheme == "ws" else "tls"
        async with raw_server(mute) as port:
            url = f"{scheme}://127.0.0.1:{port}/"
            with pytest.raises(VenueUnreachable, match=rf"{step}: timeout.*0\.2 s"):
                await connect(Handshake(url), Recorder(), quick)

    run(main())


def test_a_refused_connection_names_its_step(
    options: TransportOptions, run: Run
) -> None:
    """A closed port is unreachable in step connect; the URL's query is not told."""

    async def main() -> None:
        async with serving(silent) as port:
            pass
        url = f"ws://127.0.0.1:{port}/?token=secret"
        with pytest.raises(VenueUnreachable, match="connect: ") as caught:
            await connect(Handshake(url), Recorder(), options)
        assert "secret" not in str(caught.value)

    run(main())


def test_an_unknown_host_names_its_step(
    options: TransportOptions, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that does not resolve is unreachable in step resolve."""

    def unknown(*arguments: object, **named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    async def main() -> None:
        with pytest.raises(VenueUnreachable, match=r"resolve: .*not known"):
            await connect(Handshake("ws://nowhere.invalid/"), Recorder(), options)

    run(main())


# -- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


def server_tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    return context


def test_the_right_authority_is_accepted(
    options: TransportOptions, run: Run, certificates: Certificates
) -> None:
    """With the right CA file messages flow over TLS, and the close is clean."""

    async def main() -> None:
        receiver = Recorder()
        trusting = dataclasses.replace(options, tls_ca_file=str(certificates.authority))
        messages = [f"{n}".ljust(n % 3000, "x") for n in range(2000)]
        async with (
            serving(sending(*messages), ssl=server_tls(certificates)) as port,
            connected(f"wss://127.0.0.1:{port}/", receiver, trusting) as transport,
        ):
            await receiver.wait_for(len(messages))
            transport.pause()
            transport.resume()
            await transport.close()
            assert (await transport.wait_closed()).code == 1000
        assert receiver.frames == [message.encode() for message in messages]

    run(main())


@pytest.mark.parametrize("authority", [None, "other"])
def test_a_wrong_certificate_is_refused(
    options: TransportOptions,
    run: Run,
    certificates: Certificates,
    authority: str | None,
    tmp_path: Path,
) -> None:
    """A server that no trusted authority vouches for is unreachable in step tls."""

    async def main() -> None:
        other = str(make_certificates(tmp_path).authority) if authority else None
        wary = dataclasses.replace(options, tls_ca_file=other)
        async with serving(silent, ssl=server_tls(certificates)) as port:
            url = f"wss://127.0.0.1:{port}/"
            with pytest.raises(VenueUnreachable, match=r"tls: .*certificate"):
                await connect(Handshake(url), Recorder(), wary)

    run(main())


def test_the_host_name_must_match(
    options: TransportOptions,
    run: Run,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A certificate for another name is refused even if its authority is trusted."""
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "")

    async def main() -> None:
        trusting = dataclasses.replace(options, tls_ca_file=str(certificates.authority))
        async with serving(silent, ssl=server_tls(certificates)) as port:
            here = [(*found, ("127.0.0.1", port))]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: here)
            with pytest.raises(VenueUnreachable, match=r"(?i)tls: .*certificate"):
                await connect(Handshake("wss://venue.test/"), Recorder(), trusting)

    run(main())


# -- proxies and sockets


def test_an_http_proxy_is_used_when_asked_for(
    options: TransportOptions, run: Run
) -> None:
    """The connection goes through the tunnel of an HTTP proxy, with its login."""

    async def main() -> None:
        asked: list[bytes] = []

        async def tunnel(reader: asyncio.StreamReader, writer: Any) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            there = await asyncio.open_connection("127.0.0.1", server)
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, there[1]))
                group.create_task(pump(there[0], writer))

        receiver = Recorder()
        async with (
            serving(sending("through")) as server,
            raw_server(tunnel) as port,
        ):
            proxied = dataclasses.replace(
                options, proxy=f"http://me:p%40ss@127.0.0.1:{port}"
            )
            async with connected(ws(server), receiver, proxied):
                await receiver.wait_for(1)
        assert asked[0].startswith(f"CONNECT 127.0.0.1:{server} HTTP/1.1\r\n".encode())
        assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in asked[0]

    run(main())


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def test_a_proxy_that_refuses_names_its_step(
    options: TransportOptions, run: Run
) -> None:
    """A proxy's refusal is unreachable in step proxy, with the proxy's words."""

    async def main() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            await writer.drain()

        async with raw_server(refuse) as port:
            proxied = dataclasses.replace(options, proxy=f"http://127.0.0.1:{port}")
            with pytest.raises(VenueUnreachable, match=r"proxy: .*403 Forbidden"):
                await connect(Handshake("ws://venue/"), Recorder(), proxied)

    run(main())


def test_a_proxy_of_another_kind_is_a_settings_error(
    options: TransportOptions, run: Run
) -> None:
    """Only HTTP proxies are known; another kind is refused before anything opens."""

    async def main() -> None:
        proxied = dataclasses.replace(options, proxy="socks5://127.0.0.1:1080")
        with pytest.raises(ConfigError, match="http://host:port"):
            await connect(Handshake("ws://venue/"), Recorder(), proxied)

    run(main())


def test_the_user_timeout_reaches_the_socket(
    options: TransportOptions, run: Run
) -> None:
    """TCP_USER_TIMEOUT is set where it is asked for and the system has it."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        pytest.skip("TCP_USER_TIMEOUT is Linux only")

    async def main() -> None:
        patient = dataclasses.replace(options, user_timeout_ms=1234)
        async with (
            serving(silent) as port,
            connected(ws(port), Recorder(), patient) as transport,
        ):
            raw: Any = transport
            sock = raw._transport.get_extra_info("socket")
            value = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert value == 1234

    run(main())
