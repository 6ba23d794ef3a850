"""A clock that tests move by hand."""

import asyncio
import heapq

from bridge.core.model import Now

START_NS = 1_700_000_000_000_000_000


class ManualClock:
    """Stands still until `advance`; sleepers wake in the order of their times."""

    def __init__(self, wall_ns: int = START_NS, mono_ns: int = 0) -> None:
        self.wall_ns = wall_ns
        self.mono_ns = mono_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> Now:
        """Return the present."""
        return Now(self.wall_ns, self.mono_ns)

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the clock far enough; 0 waits one turn."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        at_ns = self.mono_ns + round(seconds * 1e9)
        heapq.heappush(self._sleepers, (at_ns, self._count, done))
        await done

    def step(self, seconds: float) -> None:
        """Move both clocks and wake whose time has come."""
        self.wall_ns += round(seconds * 1e9)
        self.mono_ns += round(seconds * 1e9)
        while self._sleepers and self._sleepers[0][0] <= self.mono_ns:
            done = heapq.heappop(self._sleepers)[2]
            if not done.done():
                done.set_result(None)

    async def advance(self, seconds: float, turns: int = 10) -> None:
        """Move the clock from sleeper to sleeper, letting each run as it wakes."""
        end_ns = self.mono_ns + round(seconds * 1e9)
        while self._sleepers and self._sleepers[0][0] <= end_ns:
            self.step((self._sleepers[0][0] - self.mono_ns) / 1e9)
            await self._settle(turns)
        self.step((end_ns - self.mono_ns) / 1e9)
        await self._settle(turns)

    async def _settle(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
