"""How long commands take on their two ways through us, as histograms.

Command produced to frame sent: from the record's own time, whole ms on the sender's
clock, to the moment when the socket had the request. Sent to answered: the venue and
the way there and back. Answer received to final response acknowledged: from the venue's
reply to when the final record was read back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from typing import ClassVar, NamedTuple

from bridge.core.model import Now
from bridge.core.orders import Key

BOUNDS_US = tuple(
    step * scale
    for scale in (100, 1_000, 10_000, 100_000, 1_000_000)
    for step in (1, 2, 5)
)
OPEN_KEPT = 10_000
SHARES = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}


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
        self.max_us = 0

    def add(self, microseconds: int) -> None:
        """Count one duration; clocks that disagree make none shorter than 0."""
        value = max(0, microseconds)
        self.counts[bisect_left(BOUNDS_US, value)] += 1
        self.total_us += value
        self.max_us = max(self.max_us, value)

    def share_us(self, share: float) -> float:
        """Return how long the fastest `share` of all took at most; 0.0 if none.

        Within a bucket durations count as evenly spread: `BOUNDS_US` are the error.
        """
        left = share * sum(self.counts)
        low = 0
        for high, count in zip((*BOUNDS_US, self.max_us), self.counts, strict=True):
            if count and left <= count:
                return low + (min(high, self.max_us) - low) * left / count
            left -= count
            low = high
        return float(self.max_us)

    def summary(self) -> dict[str, float | int]:
        """Return the count, and percentiles and the longest in ms; JSON-ready."""
        found = {name: self._ms(self.share_us(part)) for name, part in SHARES.items()}
        return {"count": sum(self.counts), **found, "max_ms": self._ms(self.max_us)}

    @staticmethod
    def _ms(microseconds: float) -> float:
        return round(microseconds / 1000, 3)

    def as_dict(self) -> dict[str, object]:
        """Return bounds, counts and sum, JSON-ready."""
        counts, bounds = list(self.counts), list(BOUNDS_US)
        return {"bounds_us": bounds, "counts": counts, "total_us": self.total_us}


class _Open(NamedTuple):
    """When a command was produced (ms), sent and answered (ns; 0: not yet)."""

    produced_ms: int
    sent_ns: int = 0
    answered_ns: int = 0


class Latency:
    """The histograms of one command topic.

    `watchers` hear of each moment on the monotonic clock, in ns: a benchmark compares
    it with what other processes of the machine saw.
    """

    watchers: ClassVar[list[Callable[[Key, Moment, int], None]]] = []

    def __init__(self) -> None:
        """Start empty."""
        self.command_to_sent = Histogram()
        self.sent_to_answer = Histogram()
        self.answer_to_final = Histogram()
        self._open: OrderedDict[Key, _Open] = OrderedDict()

    def taken(self, key: Key, produced_ms: int) -> None:
        """A command was taken over from Kafka."""
        self._open.setdefault(key, _Open(produced_ms))
        if len(self._open) > OPEN_KEPT:
            self._open.popitem(last=False)

    def note(self, key: Key, moment: Moment, now: Now) -> None:
        """Something happened to a command; what was not taken here is not counted."""
        for watcher in self.watchers:
            watcher(key, moment, now.mono_ns)
        known = self._open.get(key)
        if known is None:
            return
        if moment is Moment.SENT:
            self.command_to_sent.add(now.wall_ns // 1000 - known.produced_ms * 1000)
            self._open[key] = known._replace(sent_ns=now.mono_ns)
        elif moment is Moment.ANSWERED:
            if known.sent_ns:
                self.sent_to_answer.add((now.mono_ns - known.sent_ns) // 1000)
            self._open[key] = known._replace(answered_ns=now.mono_ns)
        else:
            del self._open[key]
            if known.answered_ns:
                self.answer_to_final.add((now.mono_ns - known.answered_ns) // 1000)

    def summary(self) -> Mapping[str, Mapping[str, float | int]]:
        """Return each stage's count, percentiles and longest, in ms; JSON-ready."""
        return {
            "command_to_sent": self.command_to_sent.summary(),
            "sent_to_answer": self.sent_to_answer.summary(),
            "answer_to_final": self.answer_to_final.summary(),
        }
