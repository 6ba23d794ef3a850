"""A small HTTP server for probes, metrics and the page: GET and HEAD, nothing else.

It shares the event loop with the order path, so whatever a stranger sends is bounded:
the size and the time of a request's head, the number of connections and of event
streams, and how long an answer may wait for its reader. One request a connection.
When all places are taken, the connection that has been silent longest makes room, so
that idle strangers cannot keep a probe out.
"""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import h11

from bridge.edge.http_talk import METHODS, Answer, Asked, Limits, Refused, Talk
from bridge.errors import ConfigError

__all__ = ["OTHER", "Answer", "Limits", "Route", "Routes", "Server"]

# So many are accepted in one turn of the loop: a flood must not hold up an order.
BACKLOG = 64
OTHER = "other"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PLAIN = "text/plain; charset=utf-8"
EVENTS = "text/event-stream; charset=utf-8"

Route = Callable[[str], Answer]
"""Given the query string, as it came; returns the answer."""


class Routes(NamedTuple):
    """What is served: answers and event streams by path.

    A stream is asked for its next message once in `Limits.event_s`. `failed` is told of
    what a route raises; the client learns no more than 500.
    """

    answers: Mapping[str, Route]
    streams: Mapping[str, Callable[[], bytes]]
    failed: Callable[[str, Exception], None]


class Server:
    """Serves `routes` from `open` to `close`."""

    def __init__(self, routes: Routes, limits: Limits | None = None) -> None:
        """Listen to nothing yet."""
        self.requests: Counter[tuple[str, str]] = Counter()  # path, status
        self.turned_away = 0
        self.streams = 0
        self.port = 0
        self._routes = routes
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._silent: dict[asyncio.Task[None], None] = {}  # the oldest first
        self._local = True
        self._closing = False

    @property
    def connections(self) -> int:
        """Return how many are open."""
        return len(self._tasks)

    async def open(self, host: str, port: int) -> None:
        """Listen; `port` 0 takes a free one, and `self.port` tells which.

        Raises:
            ConfigError: the address cannot be listened to.
        """
        self._local = host in LOOPBACK
        try:
            self._server = await asyncio.start_server(
                self._accept,
                host,
                port,
                limit=self._limits.head_bytes,
                backlog=BACKLOG,
            )
        except OSError as error:
            why = "in use" if error.errno == errno.EADDRINUSE else error.strerror
            problem = f"http.port: {host}:{port} cannot be listened to: {why}; "
            raise ConfigError([problem + "choose another, or 0 for any"]) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and drop every connection at once."""
        if self._server is None:
            return
        self._closing = True
        self._server.close()
        for task, writer in self._tasks.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    # -- one connection

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._closing:  # asyncio had accepted it before it was told
            writer.transport.abort()
            return
        if len(self._tasks) >= self._limits.connections and not self._make_room():
            self.turned_away += 1
            writer.transport.abort()
            return
        # Without this, `drain` would return while half an answer waits in memory.
        writer.transport.set_write_buffer_limits(high=0)
        task = asyncio.create_task(self._serve(reader, writer), name="http")
        self._tasks[task] = writer
        self._silent[task] = None
        task.add_done_callback(self._gone)

    def _make_room(self) -> bool:
        """Drop the connection that has owed its request longest."""
        for task in self._silent:
            del self._silent[task]
            self._tasks.pop(task).transport.abort()
            task.cancel()
            self.turned_away += 1
            return True
        return False

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._silent.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if isinstance(
            error, Exception
        ):  # a fault of ours, and no reason to end a worker
            self._routes.failed("the server", error)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take one request and answer it; whatever the client does, just end."""
        talk = Talk(reader, writer, self._limits)
        try:
            await self._answer(talk)
            await talk.linger()
        except (OSError, TimeoutError, h11.ProtocolError):
            return  # the client went away, or does not read
        finally:
            writer.transport.abort()

    async def _answer(self, talk: Talk) -> None:
        path = OTHER
        try:
            asked = await talk.asked()
            path = self._label(asked.path)
            self._silent.pop(_this(), None)
            self._check(asked)
            if asked.path in self._routes.streams:
                await self._stream(talk, asked)
                return
            answer = self._made(asked)
        except Refused as refused:
            answer = Answer(refused.status, PLAIN, f"{refused}\n".encode())
        self._silent.pop(_this(), None)
        self.requests[path, str(answer.status)] += 1
        await talk.answer(answer)

    def _label(self, path: str) -> str:
        known = path in self._routes.answers or path in self._routes.streams
        return path if known else OTHER

    def _check(self, asked: Asked) -> None:
        # A web page elsewhere may point its own name at 127.0.0.1, and read along.
        if self._local and asked.host not in LOOPBACK:
            raise Refused(421, "this port answers to localhost alone")
        if asked.method not in METHODS:
            raise Refused(405, "only GET and HEAD")

    def _made(self, asked: Asked) -> Answer:
        route = self._routes.answers.get(asked.path)
        if route is None:
            raise Refused(404, "there is nothing here")
        return self._safely(asked.path, lambda: route(asked.query))

    def _safely(self, path: str, make: Callable[[], Answer]) -> Answer:
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - told, and no reason to end a worker
            self._routes.failed(path, error)
            return Answer(500, PLAIN, b"this page has failed; see the log\n")

    # -- event streams

    async def _stream(self, talk: Talk, asked: Asked) -> None:
        if self.streams >= self._limits.streams:
            raise Refused(503, "too many event streams")
        self.requests[asked.path, "200"] += 1
        make = self._routes.streams[asked.path]
        self.streams += 1
        try:
            await talk.begin(EVENTS)
            while not talk.head_only:
                made = self._safely(asked.path, lambda: Answer(200, EVENTS, make()))
                if made.status != 200:  # noqa: PLR2004 - OK
                    return
                await talk.send(made.body)
                if not await talk.wait():
                    return
        finally:
            self.streams -= 1


def _this() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None  # noqa: S101 - called from within one
    return task
