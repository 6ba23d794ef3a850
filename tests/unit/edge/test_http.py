"""The HTTP server over real sockets: what it answers, and what strangers may take."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from bridge.edge.http import Answer, Limits, Routes, Server
from bridge.errors import ConfigError
from tests.support.http import Reply, get, parsed, raw
from tests.support.running import Run, until

PLAIN = "text/plain"
BIG = b"x" * 8_000_000
QUICK = Limits(head_s=0.3, write_s=0.3, linger_s=0.1, event_s=0.05)


def broken(_query: str) -> Answer:
    raise ValueError("the secret of a fault")


class Desk:
    """A server with a few routes, and what it was told of faults."""

    def __init__(self, limits: Limits) -> None:
        self.faults: list[tuple[str, str]] = []
        self.messages = 0
        self.server = Server(
            Routes(
                {
                    "/": lambda query: Answer(200, PLAIN, f"root {query}".encode()),
                    "/big": lambda _: Answer(200, PLAIN, BIG),
                    "/no": lambda _: Answer(503, PLAIN, b"not now"),
                    "/broken": broken,
                },
                {"/events": self.message, "/broken-events": self.fault},
                lambda path, error: self.faults.append((path, str(error))),
            ),
            limits,
        )

    def message(self) -> bytes:
        self.messages += 1
        return f"data: {self.messages}\n\n".encode()

    def fault(self) -> bytes:
        raise ValueError("no message")

    @property
    def port(self) -> int:
        return self.server.port


@contextlib.asynccontextmanager
async def desk(limits: Limits = QUICK, host: str = "127.0.0.1") -> AsyncIterator[Desk]:
    made = Desk(limits)
    await made.server.open(host, 0)
    try:
        yield made
    finally:
        await made.server.close()


def test_an_answer_has_its_query_length_and_safety_headers(run: Run) -> None:
    """A browser is told to guess nothing, load nothing foreign and keep nothing."""

    async def story() -> Reply:
        async with desk() as at:
            return await get(at.port, "/?format=json")

    found = run(story())
    assert (found.status, found.body) == (200, b"root format=json")
    assert found.headers["content-length"] == "16"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "server" not in found.headers


def test_head_is_get_without_the_body(run: Run) -> None:
    async def story() -> tuple[Reply, Reply, Reply]:
        async with desk() as at:
            whole, head = await get(at.port, "/big"), await get(at.port, "/big", "HEAD")
            return whole, head, await get(at.port, "/events", "HEAD")

    whole, head, events = run(story())
    assert whole.body == BIG
    assert (head.status, head.body) == (200, b"")
    assert head.headers == whole.headers
    assert (events.status, events.body) == (200, b"")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n", 404),
        (b"GET /../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n", 404),
        (b"GET /%2e%2e/ HTTP/1.1\r\nhost: localhost\r\n\r\n", 404),
        (b"GET /no HTTP/1.1\r\nhost: localhost\r\n\r\n", 503),
        (b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc", 405),
        (b"DELETE / HTTP/1.1\r\nhost: localhost\r\n\r\n", 405),
        (b"GET / HTTP/1.0\r\nhost: localhost\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nhost: bank.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nhost: [::1]:9464\r\n\r\n", 200),
    ],
)
def test_each_request_gets_its_status(run: Run, sent: bytes, status: int) -> None:
    async def story() -> Reply:
        async with desk() as at:
            found = await raw(at.port, sent)
            assert (await get(at.port, "/")).status == 200
            return found

    found = run(story())
    assert found.status == status
    assert (found.status == 405) == ("allow" in found.headers)
    assert b"bank" not in found.body


def test_beyond_loopback_any_host_is_answered(run: Run) -> None:
    """A service's name is no business of ours where strangers are expected."""

    async def story() -> Reply:
        async with desk(host="0.0.0.0") as at:  # noqa: S104 - on purpose
            return await get(at.port, "/", host="feedbridge.prod.svc:9464")

    assert run(story()).status == 200


def test_a_head_that_does_not_come_is_given_up(run: Run) -> None:
    """One that trickles in gets no more time than one that never comes."""

    async def trickle(port: int) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            for letter in b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ".ljust(500, b"y"):
                writer.write(bytes([letter]))
                await asyncio.sleep(0.01)
                if reader.at_eof() or writer.is_closing():
                    break
        with contextlib.suppress(ConnectionError):
            got = await reader.read()
            writer.transport.abort()
            return parsed(got)
        writer.transport.abort()
        return Reply(0, {}, b"")

    async def story() -> tuple[Reply, Reply, int]:
        async with desk() as at:
            slow = asyncio.ensure_future(trickle(at.port))
            silent = await raw(at.port, b"")
            found = await slow
            await until(lambda: at.server.connections == 0, "gone")
            return silent, found, at.server.requests["other", "408"]

    silent, slow, counted = run(story())
    assert silent.status == 408
    assert slow.status in {0, 408}
    assert counted == 2


def test_a_reader_that_does_not_read_is_cut(run: Run) -> None:
    async def story() -> float:
        async with desk() as at:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, ("127.0.0.1", at.port))
            await loop.sock_sendall(
                sock, b"GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n"
            )
            begun = loop.time()
            await until(lambda: at.server.connections == 1, "there")
            await until(lambda: at.server.connections == 0, "cut")
            sock.close()
            return loop.time() - begun

    assert run(story()) < 3.0


def test_silent_strangers_cannot_keep_a_probe_out(run: Run) -> None:
    """All places are taken by connections that say nothing; each probe is answered."""

    async def story() -> tuple[list[int], int, int]:
        limits = QUICK._replace(head_s=30.0, connections=8)
        async with desk(limits) as at:
            idle = [
                await asyncio.open_connection("127.0.0.1", at.port) for _ in range(40)
            ]
            found = [(await get(at.port, "/")).status for _ in range(10)]
            most = at.server.connections
            for _, writer in idle:
                writer.transport.abort()
            return found, most, at.server.turned_away

    found, most, turned_away = run(story())
    assert found == [200] * 10
    assert most <= 8
    assert turned_away >= 32


def test_a_thousand_connections_leave_nothing_behind(run: Run) -> None:
    async def knock(port: int) -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HT")
            writer.transport.abort()

    async def story() -> tuple[int, int]:
        async with desk() as at:
            for _ in range(20):
                await asyncio.gather(*(knock(at.port) for _ in range(50)))
            status = (await get(at.port, "/")).status
            await until(lambda: at.server.connections == 0, "all gone")
            return status, len(at.faults)

    assert run(story()) == (200, 0)


def test_busy_places_are_not_taken_away(run: Run) -> None:
    """A connection that is being served stays; the next one is turned away."""

    async def story() -> tuple[int, int, int]:
        limits = QUICK._replace(connections=2)
        async with desk(limits) as at:
            one, two = await stream(at.port), await stream(at.port)
            third = await get(at.port, "/")
            after = at.server.streams
            for _, writer in (one, two):
                writer.transport.abort()
            return third.status, after, at.server.turned_away

    assert run(story()) == (0, 2, 1)


async def stream(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await reader.readuntil(b"data: ")
    return reader, writer


def test_events_come_until_the_reader_goes(run: Run) -> None:
    async def story() -> int:
        async with desk() as at:
            reader, writer = await stream(at.port)
            for _ in range(3):
                await reader.readuntil(b"data: ")
            assert at.server.streams == 1
            writer.close()
            await until(lambda: at.server.streams == 0, "ended")
            return at.messages

    assert run(story()) >= 4


def test_event_streams_are_few(run: Run) -> None:
    async def story() -> Reply:
        async with desk(QUICK._replace(streams=2)) as at:
            kept = [await stream(at.port) for _ in range(2)]
            found = await get(at.port, "/events")
            for _, writer in kept:
                writer.transport.abort()
            return found

    assert run(story()).status == 503


def test_a_fault_of_a_route_is_told_to_us_and_not_to_them(run: Run) -> None:
    async def story() -> tuple[Reply, Reply, list[tuple[str, str]]]:
        async with desk() as at:
            page = await get(at.port, "/broken")
            return page, await get(at.port, "/broken-events"), at.faults

    page, events, faults = run(story())
    assert page.status == 500
    assert b"secret" not in page.body
    assert b"no message" not in events.body
    assert faults == [
        ("/broken", "the secret of a fault"),
        ("/broken-events", "no message"),
    ]


def test_the_end_waits_for_nobody(run: Run) -> None:
    """Open event streams and half-sent requests do not delay a stop."""

    async def story() -> float:
        made = Desk(QUICK._replace(head_s=60.0, event_s=60.0))
        await made.server.open("127.0.0.1", 0)
        kept = [await stream(made.port) for _ in range(4)]
        kept += [await asyncio.open_connection("127.0.0.1", made.port)]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await made.server.close()
        taken_s = loop.time() - begun
        for _, writer in kept:
            writer.transport.abort()
        return taken_s

    assert run(story()) < 0.5


@pytest.mark.parametrize("turns", [3, 4, 5])
def test_a_connection_that_comes_with_the_end_is_dropped(run: Run, turns: int) -> None:
    """After so many turns of the loop asyncio has it, and then we do; nobody serves it.

    In the turns before, asyncio drops it by itself.
    """

    async def story() -> tuple[bool, list[str]]:
        made = Desk(QUICK._replace(head_s=60.0))
        await made.server.open("127.0.0.1", 0)
        with socket.create_connection(("127.0.0.1", made.port)) as late:
            for _ in range(turns):
                await asyncio.sleep(0)
            async with asyncio.timeout(5.0):
                await made.server.close()
            await asyncio.sleep(0.05)
            late.settimeout(0)
            return ended(late), [t.get_name() for t in asyncio.all_tasks()]

    closed, names = run(story())
    assert closed
    assert "http" not in names


def ended(sock: socket.socket) -> bool:
    """Tell whether the other side has let go."""
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_a_port_in_use_is_a_problem_of_the_settings(run: Run) -> None:
    async def story() -> None:
        async with desk() as at:
            with pytest.raises(ConfigError, match=r"http\.port: .* in use") as caught:
                await Desk(QUICK).server.open("127.0.0.1", at.port)
            assert caught.value.exit_code == 2

    run(story())
