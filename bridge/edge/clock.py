"""The only owner of time and chance.

Everything that needs the present, a pause or a die takes a `Clock`, so that tests can
pass a clock that moves by hand. Times are nanoseconds, pauses are seconds.
"""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from typing import Protocol

from bridge.core.model import Now

wall_ns = time.time_ns
"""Unix time in ns; a step of the system's clock shows here."""

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
mono_ns = partial(time.clock_gettime_ns, _BOOT) if _BOOT else time.monotonic_ns
"""A clock in ns that never steps; its zero means nothing.

On Linux it goes on while the machine is suspended, which the plain one does not: a
lifetime that did not see a suspension would let an order go out that was given up.
"""

chance = random.SystemRandom().random
"""Return a number in [0, 1) that nobody can foresee."""


def now() -> Now:
    """Return the present on both clocks."""
    return Now(wall_ns(), mono_ns())


class Clock(Protocol):
    """What loops are given instead of the time."""

    def now(self) -> Now:
        """Return the present on both clocks."""

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for `seconds`; 0 lets them run once."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Now:
        """Return the present on both clocks."""
        return Now(wall_ns(), mono_ns())

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
