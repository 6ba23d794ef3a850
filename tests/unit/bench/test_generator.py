"""What the load generator sends: whole frames, exactly as many as asked for."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import TypeVar

import pytest
import websockets

from bridge.bench.frames import KINDS, RUN, run_of
from bridge.bench.generator import Peer, framed, unframed
from bridge.core.book import Book
from bridge.edge.clock import mono_ns
from bridge.venues.finery.frames import OPERATIONS
from tests.support.running import Run

T = TypeVar("T")
Client = websockets.ClientConnection


def masked(payload: bytes, opcode: int = 1) -> bytes:
    size = len(payload)
    head = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    mask = b"\x01\x02\x03\x04"
    first = bytes((0x80 | opcode, head[0] | 0x80))
    body = bytes(b ^ m for b, m in zip(payload, cycle(mask), strict=False))
    return first + head[1:] + mask + body


@pytest.mark.parametrize("size", [0, 125, 126, 300])
def test_a_frame_is_read_once_it_is_whole(size: int) -> None:
    """A masked frame comes out unchanged, and only when its last byte is there."""
    data = masked(b"x" * size)
    held = bytearray(data[:-1]) if size else bytearray(data[:5])
    assert list(unframed(held)) == []
    held += data[len(held) :]
    assert list(unframed(held)) == [(1, b"x" * size)]
    assert not held


async def served(act: Callable[[Client], Awaitable[T]]) -> T:
    frames = [framed(f) for f in run_of("mix")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(frames), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, websockets.connect(f"ws://127.0.0.1:{port}", proxy=None) as ws:
        assert json.loads(await ws.recv()) == ["X", 0, "Z", 0]
        return await act(ws)


async def asked(ws: Client, count: int, rate: int, at: int = 0) -> list[bytes]:
    await ws.send(json.dumps({"bench": {"count": count, "rate": rate, "at": at}}))
    return [await ws.recv(decode=False) for _ in range(count)]


def test_a_flood_has_exactly_as_many_frames_as_asked_for(run: Run) -> None:
    """Asks go on in the run of frames where the last one ended, round and round."""

    async def act(ws: Client) -> list[bytes]:
        frames = await asked(ws, 950, 0) + await asked(ws, 150, 0)
        await ws.send('{"event":"bind","feed":"K"}')
        assert b'"S"' in await ws.recv(decode=False)
        return frames

    frames = run_of("mix")
    assert run(served(act)) == [*frames, *frames][: RUN + 100]


def test_a_paced_frame_is_never_early(run: Run) -> None:
    """Frame n of a paced ask leaves n + 1 intervals after the start, or later."""

    async def act(ws: Client) -> float:
        start = mono_ns()
        await asked(ws, 20, 200, start)
        return (mono_ns() - start) / 1e9

    assert run(served(act)) >= 20 / 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_book_stays_whole_however_often_the_run_repeats(kind: str) -> None:
    """No frame contradicts the book that the ones before it have made."""
    book = Book()
    for frame in [*run_of("snap25")[:1], *run_of(kind), *run_of(kind)]:
        feed, _, action, data = json.loads(frame)
        if feed == "F" and action == "S":
            assert not book.replace(data[0], data[1], 0)
        elif feed == "F":
            sides = [[(OPERATIONS[x], p, s) for x, p, s in side] for side in data]
            assert not book.apply(sides[0], sides[1], 0)


def test_the_mix_is_what_the_documentation_says() -> None:
    """Of 1000 frames 10 are whole books and 50 positions."""
    heads = [json.loads(frame)[:3:2] for frame in run_of("mix")]
    assert heads.count(["F", "S"]) == 10
    assert heads.count(["K", "M"]) == 50
    assert heads.count(["F", "M"]) == 940
