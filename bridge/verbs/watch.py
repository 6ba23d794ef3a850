"""What flows through topics, counted while it flows: the table of `demo`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from bridge.core.codec import Decoder
from bridge.core.verify import Result, Verifier
from bridge.edge.consumer import Message
from bridge.errors import SchemaError
from bridge.verbs.records import seen_of, words

WINDOW_MS = 5000  # the rate is that of the last 5 s
HEADERS = ("topic", "records", "rate/s", "age s", "gaps", "last value")


class Count:
    """One topic's records, and the newest of them."""

    def __init__(self) -> None:
        """Start at zero."""
        self.records = 0
        self.last: Message | None = None
        self.shown: Message | None = None
        self._times_ms: deque[int] = deque()

    def take(self, message: Message, now_ms: int, *, shown: bool) -> None:
        """Count one record; `shown` if it holds data, which a person wants to see."""
        self.records += 1
        self.last = message
        if shown or self.shown is None:
            self.shown = message
        self._times_ms.append(now_ms)
        self.rate(now_ms)

    def rate(self, now_ms: int) -> float:
        """Return records a second."""
        times = self._times_ms
        while times and times[0] < now_ms - WINDOW_MS:
            times.popleft()
        return len(times) * 1000 / WINDOW_MS

    def age_s(self, now_ms: int) -> float | None:
        """Return how long ago the newest record was written."""
        return None if self.last is None else (now_ms - self.last.timestamp_ms) / 1000


class Watch:
    """Counts what is read from topics, and verifies what are feed records."""

    def __init__(
        self, feeds: Sequence[str], others: Sequence[str], decoder: Decoder
    ) -> None:
        """Watch `feeds`, which are verified, and `others`, which are only counted."""
        self.counts = {topic: Count() for topic in (*feeds, *others)}
        self.verifier = Verifier()
        self.taken = 0
        self.started = asyncio.Event()
        self._feeds = frozenset(feeds)
        self._decoder = decoder

    def take(self, message: Message, now_ms: int) -> None:
        """Take one record."""
        self.taken += 1
        self.started.set()
        feed = message.topic in self._feeds
        seen = seen_of(message, self._decoder) if feed else None
        shown = not feed or (seen is not None and seen.boundary is None)
        self.counts[message.topic].take(message, now_ms, shown=shown)
        if seen is not None:
            self.verifier.take(seen)

    def found(self) -> dict[str, dict[str, Any]]:
        """Return, for each feed topic, its records and what `verify` found."""
        results = self.verifier.results()
        return {
            topic: {"records": count.records}
            | _found([r for r in results if r.topic == topic])
            for topic, count in self.counts.items()
            if topic in self._feeds
        }

    def table(self, now_ms: int) -> Table:
        """Return the table of this moment."""
        table = Table(title="feedbridge demo", title_justify="left")
        for name in HEADERS:
            right = name not in {"topic", "last value"}
            table.add_column(
                name, justify="right" if right else "left", no_wrap=True,
            )  # fmt: skip
        gaps = {topic: facts["gaps"] for topic, facts in self.found().items()}
        for topic, count in self.counts.items():
            table.add_row(*self._row(topic, count, gaps, now_ms))
        return table

    def _row(
        self, topic: str, count: Count, gaps: Mapping[str, int], now_ms: int
    ) -> tuple[str, ...]:
        age_s = count.age_s(now_ms)
        return (
            topic,
            f"{count.records:,}",
            f"{count.rate(now_ms):.1f}",
            "" if age_s is None else f"{max(0.0, age_s):.1f}",
            str(gaps.get(topic, "")),
            self._words(count.shown),
        )

    def _words(self, message: Message | None) -> str:
        if message is None or message.value is None:
            return ""
        try:
            return words(self._decoder.decode(message.value))
        except SchemaError:
            return message.value[:60].decode("utf-8", "replace")


def _found(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "subscriptions": len(results),
        "connections": sum(r.connections for r in results),
        "gaps": sum(len(r.gaps) for r in results),
        "missing_explained": sum(r.explained for r in results),
        "missing_unexplained": sum(r.unexplained for r in results),
        "repeats": sum(r.repeats for r in results),
        "disorder": sum(r.disorder for r in results),
        "refreshes_compared": sum(r.refreshes for r in results),
        "complete": bool(results) and all(r.complete for r in results),
        "examples": [line for r in results for line in r.examples],
    }
