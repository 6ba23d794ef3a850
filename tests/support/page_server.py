"""The worker's own HTTP server with the page, and a state that a test can change."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from bridge.app.web import page
from bridge.edge.http import Limits, Routes, Server

HOST = "127.0.0.1"
WAIT_S = 10.0
EVERY_S = 0.2  # a worker tells its state once a second

State = Callable[[], Any]


class StateServer:
    """Serves the page and streams `state()`; a text stands for itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.state: State = lambda: {"worker": "w-1", "phase": "preparing"}
        self.failed: list[str] = []
        self.streams = 0
        self.port = 0
        self._loop = loop
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}/"

    def start(self) -> None:
        """Listen, at the port of the last time if there was one."""
        routes = Routes(page(), {"/events": self._told}, self._note)
        self._server = Server(routes, Limits(event_s=EVERY_S))
        self._run(self._server.open(HOST, self.port))
        self.port = self._server.port

    def stop(self) -> None:
        """Drop all connections and stop listening."""
        if self._server is not None:
            self._run(self._server.close())
            self._server = None

    def mute(self) -> None:
        """Keep the streams open and say nothing more on them."""
        self.state = lambda: ""

    def _told(self) -> bytes:
        self.streams += 1
        state = self.state()
        if state == "":
            return b": nothing\n\n"
        text = state if isinstance(state, str) else json.dumps(state)
        return f"event: status\ndata: {text}\n\n".encode()

    def _note(self, path: str, error: Exception) -> None:
        self.failed.append(f"{path}: {error!r}")

    def _run(self, coro: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coro, self._loop).result(WAIT_S)


@contextmanager
def served() -> Iterator[StateServer]:
    """Run the server in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = StateServer(loop)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
        loop.close()
    assert server.failed == []
