"""How long a worker may go on writing without having looked whether it still may.

A process that stood still for longer than its group session may have lost everything
it owned to others, and does not know it yet. So it looks at the clock first: whatever
comes after a pause longer than the lease is neither written nor sent.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.core.model import Now

FOREVER_NS = (1 << 63) - 1


class Lease:
    """Runs from the last `renew`; `until_ns` (Unix time) is the cheap first look."""

    __slots__ = ("_length_ns", "_now", "_until_mono_ns", "until_ns")

    def __init__(self, length_ns: int, now: Callable[[], Now]) -> None:
        """Begin with a full lease; `FOREVER_NS` never runs out."""
        self._length_ns = length_ns
        self._now = now
        self.until_ns = FOREVER_NS
        self._until_mono_ns = FOREVER_NS
        self.renew()

    @property
    def over(self) -> bool:
        """Tell whether the lease has run out, on either clock.

        The Unix clock alone goes on while a machine sleeps, the other one alone never
        steps; a step forward costs a reconnect, a sleep that is missed costs a promise.
        """
        now = self._now()
        return now.mono_ns > self._until_mono_ns or now.wall_ns > self.until_ns

    def renew(self) -> None:
        """Begin anew; the caller has looked."""
        if self._length_ns < FOREVER_NS:
            now = self._now()
            self.until_ns = now.wall_ns + self._length_ns
            self._until_mono_ns = now.mono_ns + self._length_ns
