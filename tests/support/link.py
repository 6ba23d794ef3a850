"""A proxy in a thread of its own, for tests that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from tests.support.proxy import Proxy


class Link:
    """The way of one worker to the broker, which can be cut; runs in a thread."""

    def __init__(self) -> None:
        """Listen; nothing is passed on before `lead`."""
        self._proxy = Proxy("127.0.0.1", 0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._proxy.__aenter__())

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self._proxy.port

    def lead(self, port: int) -> None:
        """Pass everything on to a port, which is known later than our own."""
        self._proxy._target = "127.0.0.1", port

    def cut(self) -> None:
        """Let nothing through, and say nothing: both ends wait."""
        self._loop.call_soon_threadsafe(self._proxy.half_open)

    def reset(self) -> None:
        """End every connection, as a broker that ends does; new ones are taken."""
        self._loop.call_soon_threadsafe(self._proxy.reset)

    def heal(self) -> None:
        """Let everything through again; what was on its way arrives now."""
        self._loop.call_soon_threadsafe(self._proxy.heal)

    def close(self) -> None:
        """Take the way down."""
        self._do(self._proxy.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(30)
