"""Watches secrets that may change while the worker runs, and has them taken up.

A secret is known by a digest alone; its text stays with whoever reads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from bridge.core.backoff import Backoff
from bridge.core.tallies import Tallies
from bridge.errors import BridgeError
from bridge.flow.pacer import Clock

LOOK_S = 2.0
RETRY_CAP_S = 60.0

Look = Callable[[], bytes]
"""Returns a digest of the secret as it is now; runs in a thread, since files may be
slow. Raises OSError, ValueError or BridgeError where there is nothing usable."""

Act = Callable[[str], Awaitable[None]]
"""Takes up the new secret of the part so named, or raises BridgeError and keeps the
old one in use."""


class Log(Protocol):
    """Writes one line."""

    def __call__(self, event: str, *, level: str = "info", **facts: object) -> None:
        """Write an event and its facts."""


class _Part:
    """One secret: the digest in use, and what the last look has shown."""

    def __init__(self, name: str, look: Look, backoff: Backoff) -> None:
        self.name = name
        self.look = look
        self.backoff = backoff
        self.in_use: bytes | None = None
        self.seen: bytes | None = None
        self.retry_ns = 0

    def due(self, digest: bytes, now_ns: int) -> bool:
        """Tell whether to take it up: new, whole, and not refused a moment ago.

        Only what two looks in a row have shown counts as whole: a file may be half
        written, or the first of two.
        """
        settled, self.seen = digest == self.seen, digest
        if not settled or digest == self.in_use:
            self.backoff.stable()
            self.retry_ns = 0
            return False
        return now_ns >= self.retry_ns


class Watch:
    """Looks at every part all the time, and acts on what has changed."""

    def __init__(
        self,
        looks: Mapping[str, Look],
        act: Act,
        clock: Clock,
        log: Log,
        tallies: Tallies,
        chance: Callable[[], float],
    ) -> None:
        """Watch `looks` by the name of the part; `chance` spreads the retries."""
        self._parts = [
            _Part(name, look, Backoff(chance, LOOK_S, RETRY_CAP_S))
            for name, look in looks.items()
        ]
        self._act = act
        self._clock = clock
        self._log = log
        self._tallies = tallies

    async def begin(self) -> None:
        """Note what is in use; call before the secrets are used, so none is missed."""
        for part in self._parts:
            part.in_use = part.seen = await self._seen(part)

    async def run(self) -> None:
        """Watch until cancelled; a part that takes its time delays no other."""
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(self._watch(part), name=f"rotation/{part.name}")

    async def _watch(self, part: _Part) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            digest = await self._seen(part)
            if digest and part.due(digest, self._clock.now().mono_ns):
                await self._take_up(part, digest)

    async def _seen(self, part: _Part) -> bytes | None:
        """Return the digest; None where nothing usable is to be seen."""
        try:
            return await asyncio.to_thread(part.look)
        except (OSError, ValueError, BridgeError) as error:
            self._failed("rotation_unreadable", part, error)
            return None

    async def _take_up(self, part: _Part, digest: bytes) -> None:
        try:
            await self._act(part.name)
        except BridgeError as error:
            self._failed("rotation_failed", part, error)
            return
        part.in_use = digest
        self._tallies.rotations[part.name, "renewed"] += 1
        self._log("rotated", part=part.name)

    def _failed(self, event: str, part: _Part, error: Exception) -> None:
        """Count and tell a failure, and again as long as it lasts, ever more rarely."""
        now_ns = self._clock.now().mono_ns
        if now_ns < part.retry_ns:
            return
        part.retry_ns = now_ns + int(part.backoff.failed() * 1e9)
        self._tallies.rotations[part.name, "failed"] += 1
        self._log(event, level="warning", part=part.name, detail=str(error))
