"""The order to stop, and how much of the time for it is left."""

from __future__ import annotations

import asyncio

from typing_extensions import override

from bridge.config import Settings
from bridge.config.stop_rules import LEAVE_S, MARGIN_S
from bridge.edge.clock import Clock

# Always given to Kafka, even when everything before it took the whole grace.
LEAST_S = 1.0


class Stopping(asyncio.Event):
    """Set when the worker is to stop; knows since when."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Begin unset; the settings say how long a stop may take."""
        super().__init__()
        self._grace_s = settings.stop.grace_seconds
        self._flush_s = settings.kafka.flush_timeout_s
        self._clock = clock
        self._since_ns: int | None = None

    @override
    def set(self) -> None:
        """Order the stop; the first call counts."""
        if self._since_ns is None:
            self._since_ns = self._clock.now().mono_ns
        super().set()

    def handover_s(self) -> float:
        """Return how long a stop may wait now for what was handed over."""
        return max(LEAST_S, self._left_s() - LEAVE_S)

    def flush_s(self) -> float:
        """Return how long a flush that begins now may take, in seconds.

        What waited for Kafka before, at a handover, has used up a part of it.
        """
        return max(LEAST_S, min(self._flush_s, self._left_s()))

    def _left_s(self) -> float:
        now_ns = self._clock.now().mono_ns
        since_ns = now_ns if self._since_ns is None else self._since_ns
        return self._grace_s - MARGIN_S - (now_ns - since_ns) / 1e9
