"""Reconnect delays: full jitter, capped; chance is passed in."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Counts failures in a row and says how long to wait before the next attempt.

    A delay is drawn evenly between `floor` and the exponential bound, so a crowd of
    workers spreads out. Seconds throughout.
    """

    def __init__(
        self,
        chance: Callable[[], float],
        base_seconds: float = 0.5,
        cap_seconds: float = 30.0,
        floor_seconds: float = 0.1,
    ) -> None:
        """Start with no failures; `chance` returns a number in [0, 1)."""
        self._chance = chance
        self._base = base_seconds
        self._cap = cap_seconds
        self._floor = floor_seconds
        self.failures = 0

    def failed(self) -> float:
        """Count one more failure and return the seconds to wait."""
        bound = min(self._cap, self._base * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return max(self._floor, self._chance() * bound)

    def stable(self) -> None:
        """Forget the failures; call after a stable period, never after a handshake."""
        self.failures = 0
