"""The clients that are connected: each connection with its session."""

from __future__ import annotations

import asyncio
from collections import deque

from bridge.errors import BridgeError
from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.clock import VirtualClock
from bridge.simulators.connection import Connection, Payload
from bridge.simulators.ledger import Ledger

# A longer text is cut in the ledger.
_TEXT_KEPT = 65_536
# A slow client's frames wait in memory; more than this many end its connection.
_QUEUE_LIMIT = 10_000


class Client:
    """One connection: what it is sent goes through here into the ledger."""

    def __init__(
        self, connection: Connection, user: str, clock: VirtualClock, ledger: Ledger
    ) -> None:
        self.connection = connection
        self.user = user
        self._clock = clock
        self._ledger = ledger
        self._slow_ms = 0
        self._waiting: deque[tuple[Payload, str, Tick | None]] = deque()
        self._drain: asyncio.Task[None] | None = None

    @property
    def number(self) -> int:
        """Return the number that names the connection in the ledger."""
        return self.connection.number

    def send(self, payload: Payload, why: str, tick: Tick | None = None) -> bool:
        """Send a frame now, or in its turn on a slow connection."""
        if not self._slow_ms and not self._waiting:
            return self._post(payload, why, tick)
        if len(self._waiting) >= _QUEUE_LIMIT:
            self.connection.kill()
            return False
        self._waiting.append((payload, why, tick))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._slowly())
        return True

    def slow(self, every_ms: int) -> None:
        """Send at most one frame in `every_ms` from now on; 0 is as fast as can be."""
        self._slow_ms = every_ms

    def close(self) -> None:
        """Forget what still waits."""
        self._waiting.clear()
        if self._drain is not None:
            self._drain.cancel()

    async def _slowly(self) -> None:
        while self._waiting:
            await self._clock.sleep(self._slow_ms / 1000)
            self._post(*self._waiting.popleft())

    def _post(self, payload: Payload, why: str, tick: Tick | None) -> bool:
        sent = self.connection.post(payload)
        facts = (
            {"id": tick.id, "time": tick.time, "stream": tick.stream} if tick else {}
        )
        self._ledger.add(
            "frame" if sent else "unsent",
            connection=self.number,
            why=why,
            text=_text(payload),
            **facts,
        )
        return sent


def chosen(clients: list[Client], number: int | None) -> list[Client]:
    """Return the client of that connection number, or all for None."""
    if number is None:
        return clients
    fitting = [client for client in clients if client.number == number]
    if not fitting:
        known = ", ".join(str(client.number) for client in clients) or "none"
        raise BridgeError(f"no connection {number}; there are: {known}")
    return fitting


def _text(payload: Payload) -> str:
    if isinstance(payload, bytes):
        return payload.hex()[:_TEXT_KEPT]
    return (payload if isinstance(payload, str) else "".join(payload))[:_TEXT_KEPT]
