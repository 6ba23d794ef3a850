"""A line is one series of one index: what a subscription listens to."""

from __future__ import annotations

from enum import StrEnum

from bridge.simulators.cfbenchmarks.faults import Emit, Lane
from bridge.simulators.cfbenchmarks.frames import Stats, Tick
from bridge.simulators.cfbenchmarks.indices import FAST_MS, SECOND_MS, Index, Rhythm
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions
from bridge.simulators.cfbenchmarks.values import seeded, text_of

_DAY_MS = 86_400_000


class Series(StrEnum):
    """The outgoing series of an index."""

    FAST = "200ms"
    SECOND = "1s"
    DAILY = "daily"
    STATS = "stats"


STEPS = {
    Series.FAST: FAST_MS,
    Series.SECOND: SECOND_MS,
    Series.DAILY: _DAY_MS,
    # The cadence of `rti_stats` is not documented; the known times are whole seconds.
    Series.STATS: SECOND_MS,
}

_VALUE_SERIES = {
    Rhythm.FAST: (Series.FAST, Series.SECOND),
    Rhythm.SECOND: (Series.SECOND,),
    Rhythm.SESSION: (Series.SECOND,),
    Rhythm.DAILY: (Series.DAILY,),
}


def series_of(index: Index) -> tuple[Series, ...]:
    """Return the series in which an index is published."""
    values = _VALUE_SERIES[index.rhythm]
    return (*values, Series.STATS) if index.stats else values


class Line:
    """One series of one index: its delays, its newest tick, its memory for faults."""

    def __init__(
        self, index: Index, series: Series, options: CfBenchmarksOptions
    ) -> None:
        self.index = index
        self.series = series
        self.name = f"{index.id}/{series}"
        self.lane = Lane(STEPS[series])
        self.latest: Tick | None = None
        self._options = options
        self._chance = seeded(options.seed, self.name, "delay")
        self._bounds = {
            Series.FAST: options.fast_delay_ms,
            Series.DAILY: options.daily_delay_ms,
        }.get(series, options.second_delay_ms)
        self._last_due = 0

    @property
    def most_delay_ms(self) -> int:
        """Return the longest ordinary delay of a real-time tick."""
        return 0 if self.series is Series.DAILY else self._bounds[1]

    def delay_ms(self) -> int:
        """Draw how long the next tick takes: a range, and rarely a spike on top."""
        delay = self._chance.randint(*self._bounds)
        if self._chance.randrange(1000) < self._options.spike_per_mille:
            delay += self._chance.randint(0, self._options.spike_ms)
        return delay

    def in_order(self, emits: list[Emit]) -> list[Emit]:
        """Let no tick overtake the one before it."""
        ordered = []
        for emit in emits:
            self._last_due = max(self._last_due, emit.due)
            ordered.append(emit._replace(due=self._last_due))
        return ordered

    def settle(self, tick: Tick) -> None:
        """Note a published tick; the newest one is what a new subscriber gets."""
        if self.latest is None or _age(tick) >= _age(self.latest):
            self.latest = tick

    def shape(self, tick: Tick) -> Tick:
        """Return the tick as this series shows it."""
        return with_stats(self.index, tick) if self.series is Series.STATS else tick


def _age(tick: Tick) -> tuple[int, int]:
    return tick.time, tick.amend_time or 0


def with_stats(index: Index, tick: Tick) -> Tick:
    """Add made-up statistics around a value: bid <= value <= ask."""
    chance = seeded(index.id, tick.time, tick.value, "stats")
    spread = max(1, index.level // 10_000)
    bid, ask = chance.randint(0, spread), chance.randint(0, spread)
    depth = f"{chance.randint(500, 2_000)}000.0"
    units = units_of(tick.value)
    if units is None:
        return tick._replace(stats=Stats(depth, tick.value, tick.value, tick.value))
    text = (units - bid, units + ask, units + (ask - bid) // 2)
    return tick._replace(
        stats=Stats(depth, *(text_of(u, index.decimals) for u in text))
    )


def units_of(value: str) -> int | None:
    """Return decimal text as integer units of its last decimal, if it is a number."""
    digits = value.replace(".", "", 1)
    return int(digits) if digits.lstrip("-").isdigit() else None
