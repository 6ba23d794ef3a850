"""What happens while Kafka is slow: pause, then cut, then heal.

    FLOWING -above the high mark-> PAUSED -below the low mark-> FLOWING
    PAUSED -longer than the limit-> CUT -below the low mark-> FLOWING

A paused socket cannot answer the venue's pings for ever; so after `limit_s` the
subscriptions are let go, the sockets are read again, and what comes is counted. When
Kafka has taken the backlog, each gap is announced and a fresh snapshot asked for.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Protocol

from bridge.core.model import Now
from bridge.flow.connection import Connection, Log

# Far more than it takes to read what a socket and its buffers hold.
CATCH_UP_NS = 1_000_000_000


class Marks(Protocol):
    """The producer's two marks."""

    @property
    def above_high(self) -> bool:
        """Tell whether the queue is above its high mark."""

    @property
    def below_low(self) -> bool:
        """Tell whether the queue is below its low mark."""


class Flow(Enum):
    """What the worker's sockets are doing."""

    FLOWING = auto()
    PAUSED = auto()
    CUT = auto()


class Pressure:
    """Pauses, cuts and heals all feed connections of one worker."""

    def __init__(
        self, marks: Marks, connections: set[Connection], limit_s: float, log: Log
    ) -> None:
        """Watch `marks` for the `connections`, a set that the feeds keep up to date."""
        self.flow = Flow.FLOWING
        self.pauses = 0
        self.cuts = 0
        self._marks = marks
        self._connections = connections
        self._limit_ns = int(limit_s * 1e9)
        self._log = log
        self._since_ns = 0
        self._read_ns = 0
        self._open = asyncio.Event()
        self._open.set()

    async def flowing(self) -> None:
        """Wait until Kafka takes records: no new connection is opened before."""
        await self._open.wait()

    def unread(self, now: Now) -> str:
        """Return why the sockets may hold what was not read, empty if they do not."""
        if self.flow is not Flow.FLOWING:
            return "reading is paused: Kafka is slow"
        if now.mono_ns < self._read_ns:
            return "what came while Kafka was slow is being read"
        return ""

    def full(self) -> None:
        """Pause all sockets; called at the end of a chunk, so it must be cheap."""
        if self.flow is Flow.FLOWING:
            self.flow = Flow.PAUSED
            self._since_ns = 0
            self.pauses += 1
            for connection in self._connections:
                connection.pause()

    def step(self, now: Now) -> None:
        """Move on with time; called from the worker's pulse."""
        if self.flow is Flow.FLOWING:
            if self._marks.above_high:
                self.full()
            return
        if self._marks.below_low:
            self._release(now)
        elif self.flow is Flow.PAUSED:
            self._wait(now)

    def joined(self, connection: Connection, now: Now) -> None:
        """Treat a new connection like the others."""
        if self.flow is Flow.PAUSED:
            connection.pause()
        elif self.flow is Flow.CUT:
            connection.cut(now)

    def _wait(self, now: Now) -> None:
        self._since_ns = self._since_ns or now.mono_ns
        if now.mono_ns - self._since_ns >= self._limit_ns:
            self.flow = Flow.CUT
            self.cuts += 1
            self._open.clear()
            self._log("kafka_slow", act="cut")
            for connection in list(self._connections):
                connection.cut(now)

    def _release(self, now: Now) -> None:
        was, self.flow = self.flow, Flow.FLOWING
        self._read_ns = now.mono_ns + CATCH_UP_NS
        self._open.set()
        if was is Flow.CUT:
            self._log("kafka_back", act="heal")
        for connection in list(self._connections):
            connection.resume() if was is Flow.PAUSED else connection.heal(now)
