"""How long commands take on their two ways through us, as histograms.

Command produced to frame sent: from the record's own time, whole ms on the sender's
clock, to the moment when the socket had the request. Answer received to final response
acknowledged: from the venue's reply to when the final record was read back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import ClassVar

from bridge.core.model import Now
from bridge.core.orders import Key

BOUNDS_US = tuple(
    step * scale
    for scale in (100, 1_000, 10_000, 100_000, 1_000_000)
    for step in (1, 2, 5)
)
OPEN_KEPT = 10_000


class Moment(Enum):
    """What happens to a command, in this order, if all goes well."""

    SENT = "sent"
    ANSWERED = "answered"
    FINAL = "final"


class Histogram:
    """Counts of durations up to each of `BOUNDS_US`, and of those above all."""

    def __init__(self) -> None:
        """Start empty."""
        self.counts = [0] * (len(BOUNDS_US) + 1)
        self.total_us = 0

    def add(self, microseconds: int) -> None:
        """Count one duration; clocks that disagree make none shorter than 0."""
        value = max(0, microseconds)
        self.counts[bisect_left(BOUNDS_US, value)] += 1
        self.total_us += value

    def as_dict(self) -> dict[str, object]:
        """Return bounds, counts and sum, JSON-ready."""
        counts, bounds = list(self.counts), list(BOUNDS_US)
        return {"bounds_us": bounds, "counts": counts, "total_us": self.total_us}


class Latency:
    """Both histograms of one command topic.

    `watchers` hear of each moment on the monotonic clock, in ns: a benchmark compares
    it with what other processes of the machine saw.
    """

    watchers: ClassVar[list[Callable[[Key, Moment, int], None]]] = []

    def __init__(self) -> None:
        """Start empty."""
        self.command_to_sent = Histogram()
        self.answer_to_final = Histogram()
        # Key: when it was produced (ms), when it was answered (ns; 0: not yet).
        self._open: OrderedDict[Key, tuple[int, int]] = OrderedDict()

    def taken(self, key: Key, produced_ms: int) -> None:
        """A command was taken over from Kafka."""
        self._open.setdefault(key, (produced_ms, 0))
        if len(self._open) > OPEN_KEPT:
            self._open.popitem(last=False)

    def note(self, key: Key, moment: Moment, now: Now) -> None:
        """Something happened to a command; what was not taken here is not counted."""
        for watcher in self.watchers:
            watcher(key, moment, now.mono_ns)
        known = self._open.get(key)
        if known is None:
            return
        produced_ms, answered_ns = known
        if moment is Moment.SENT:
            self.command_to_sent.add(now.wall_ns // 1000 - produced_ms * 1000)
        elif moment is Moment.ANSWERED:
            self._open[key] = (produced_ms, now.mono_ns)
        else:
            del self._open[key]
            if answered_ns:
                self.answer_to_final.add((now.mono_ns - answered_ns) // 1000)
