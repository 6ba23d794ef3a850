"""Virtual time: it runs faster than real time on demand, stands still, or jumps.

This module is the simulators' only owner of wall time. Everything else takes a
`VirtualClock` and never looks at the real one.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
# Cancelled sleepers stay in the heap until they are this many and the majority.
_DEAD_LIMIT = 256


class VirtualClock:
    """A clock that may run at another speed than the world, and wakes its sleepers.

    Args:
        speed: Virtual seconds in a real second; 0 stands still (only `jump` moves it).
        start_ms: Virtual Unix time at the start, in ms; the real time where None.
    """

    def __init__(self, speed: float = 1.0, start_ms: int | None = None) -> None:
        start_ns = time.time_ns() if start_ms is None else start_ms * _NS_PER_MS  # noqa: TID251 - owner of time
        self._base_ns = start_ns
        self._anchor_ns = self._real_ns()
        self._speed = self._checked(speed)
        self._heap: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        # Cancellations since the heap was last cleared.
        self._dead = 0

    @property
    def speed(self) -> float:
        """Virtual seconds in a real second; may be set at any time."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked = self._checked(speed)
        self._base_ns, self._anchor_ns = self.now_ns(), self._real_ns()
        self._speed = checked
        self._arm()

    def now_ns(self) -> int:
        """Return the virtual Unix time in ns."""
        passed = self._real_ns() - self._anchor_ns
        if self._speed == 1:
            return self._base_ns + passed
        return self._base_ns + int(passed * self._speed)

    def now_ms(self) -> int:
        """Return the virtual Unix time in ms, rounded down."""
        return self.now_ns() // _NS_PER_MS

    @staticmethod
    def wall_ms() -> int:
        """Return the real Unix time in ms."""
        return time.time_ns() // _NS_PER_MS  # noqa: TID251 - owner of time

    async def sleep(self, virtual_seconds: float) -> None:
        """Wait for that much virtual time."""
        await self._sleep_until_ns(self.now_ns() + int(virtual_seconds * _NS_PER_S))

    async def sleep_until(self, virtual_ms: int) -> None:
        """Wait until the clock shows `virtual_ms`; yields once if it does already."""
        await self._sleep_until_ns(virtual_ms * _NS_PER_MS)

    def jump(self, seconds: float) -> None:
        """Move the time forward and wake the sleepers whose time has come."""
        if seconds < 0:
            raise ValueError("a clock jumps forward only")
        self._base_ns += int(seconds * _NS_PER_S)
        self._wake()

    @property
    def sleepers(self) -> int:
        """Return how many are asleep."""
        return sum(not entry[2].cancelled() for entry in self._heap)

    @staticmethod
    def _checked(speed: float) -> float:
        if speed < 0:
            raise ValueError("a clock's speed is 0 or more")
        return speed

    @staticmethod
    def _real_ns() -> int:
        return time.monotonic_ns()  # noqa: TID251 - owner of time

    async def _sleep_until_ns(self, due_ns: int) -> None:
        if due_ns <= self.now_ns():
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (due_ns, next(self._order), future))
        if self._heap[0][2] is future:
            self._arm()
        try:
            await future
        finally:
            if future.cancelled():
                self._bury()

    def _bury(self) -> None:
        """Count a cancelled sleeper, and clear the heap when most are dead."""
        self._dead += 1
        if self._dead > _DEAD_LIMIT and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].cancelled()]
            heapq.heapify(self._heap)
            self._dead = 0

    def _wake(self) -> None:
        now = self.now_ns()
        while self._heap and self._heap[0][0] <= now:
            future = heapq.heappop(self._heap)[2]
            if not future.cancelled():
                future.set_result(None)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._heap or self._speed == 0:
            return
        wait_s = (self._heap[0][0] - self.now_ns()) / self._speed / _NS_PER_S
        loop = self._heap[0][2].get_loop()
        self._timer = loop.call_later(max(0.0, wait_s), self._wake)
