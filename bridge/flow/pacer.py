"""How fast, and how many, connections to one host are opened."""

from __future__ import annotations

import asyncio
from typing import Protocol
from urllib.parse import urlsplit

from bridge.core.model import Now


class Clock(Protocol):
    """Time, as the loops need it."""

    def now(self) -> Now:
        """Return both clocks."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Pacer:
    """Spaces the attempts to one host and limits its connections, over all feeds."""

    def __init__(self, clock: Clock, interval_s: float = 0.1, most: int = 100) -> None:
        """Let an attempt a host through every `interval_s`, `most` at the same time."""
        self._clock = clock
        self._interval_ns = int(interval_s * 1e9)
        self._most = most
        self._next_ns: dict[str, int] = {}
        self._places: dict[str, asyncio.BoundedSemaphore] = {}

    def full(self, url: str) -> str:
        """Return why `turn` would wait for a place, empty if there is one."""
        host = _host(url)
        if host not in self._places or not self._places[host].locked():
            return ""
        return (
            f"waits for a connection: {self._most} of {self._most} allowed to {host} "
            "are open; raise transport.max_connections or start another worker"
        )

    async def turn(self, url: str) -> None:
        """Wait for a place and the next free moment of the host in `url`.

        Whoever returns from here gives the place back with `done`, once.
        """
        host = _host(url)
        if host not in self._places:
            self._places[host] = asyncio.BoundedSemaphore(self._most)
        await self._places[host].acquire()
        try:
            await self._moment(host)
        except BaseException:
            self.done(url)
            raise

    def done(self, url: str) -> None:
        """Give a place back: the connection, or its attempt, is over."""
        self._places[_host(url)].release()

    async def _moment(self, host: str) -> None:
        now_ns = self._clock.now().mono_ns
        at_ns = max(now_ns, self._next_ns.get(host, 0))
        self._next_ns[host] = at_ns + self._interval_ns
        if at_ns > now_ns:
            await self._clock.sleep((at_ns - now_ns) / 1e9)


def _host(url: str) -> str:
    """Return host and port alone; a login may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]
