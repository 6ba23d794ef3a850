"""What one subscription has seen on this connection: revisions, repeats, order.

There is no sequence number. Frames may repeat, come late, or replace an earlier value
under the same time; nothing is dropped or reordered for that, everything is marked.
Source: CF Benchmarks WebSocket API v4, notice on amended and delayed values.
"""

from __future__ import annotations

from typing import Any

# Times remembered: ten minutes at one a second, two at five. The provider's REST
# look-back for real-time indices is ten minutes in its older manual.
REMEMBERED = 600
# A time this far ahead of ours speaks of clocks, ms; our choice.
FAR_AHEAD_MS = 60_000


class Ticks:
    """The newest source time and a bounded memory of recent frames."""

    __slots__ = ("_counts", "_outlier_ms", "_seen", "newest_ms")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.newest_ms: int | None = None
        self._seen: dict[tuple[int, int | None, str], int] = {}
        self._counts: dict[int, int] = {}
        self._outlier_ms = 0

    def outlier(self, time_ms: int, received_ms: int) -> bool:
        """Tell whether a time is far in the future with no second one beside it.

        A single wrong time must not make every later frame late; a clock that is off
        shows in the next frame, and its times are then taken as they are.
        """
        if time_ms - received_ms <= FAR_AHEAD_MS:
            return False
        alone = abs(time_ms - self._outlier_ms) > FAR_AHEAD_MS
        self._outlier_ms = time_ms
        return alone

    def pass_by(self, time_ms: int) -> bool:
        """Return whether `time_ms` is late; else it is the newest from here on."""
        if self.newest_ms is not None and time_ms < self.newest_ms:
            return True
        self.newest_ms = time_ms
        return False

    def see(self, time_ms: int, amend_ms: int | None, text: str) -> tuple[int, bool]:
        """Return revision and whether the very same was seen before."""
        key = (time_ms, amend_ms, text)
        known = self._seen.get(key)
        if known is not None:
            return known, True
        revision = self._counts.get(time_ms, 0)
        self._counts[time_ms] = revision + 1
        self._seen[key] = revision
        _forget(self._counts)
        _forget(self._seen)
        return revision, False


def _forget(memory: dict[Any, int]) -> None:
    """Drop the oldest entry above the limit."""
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]
