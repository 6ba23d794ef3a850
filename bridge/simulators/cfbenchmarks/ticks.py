"""The publisher: makes every tick on its grid and hands it out when it is due.

It knows nothing of sockets or of the real time: `advance(now)` returns what went out
until then, so a day can be published in a test without waiting.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from bridge.simulators.cfbenchmarks import faults as fault_tables
from bridge.simulators.cfbenchmarks.faults import Emit, Fault
from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.cfbenchmarks.history import History
from bridge.simulators.cfbenchmarks.indices import (
    SECOND_MS,
    Calendar,
    Index,
    Rhythm,
)
from bridge.simulators.cfbenchmarks.lines import Line, Series, series_of
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions
from bridge.simulators.ledger import Ledger


class Delivery(NamedTuple):
    """A tick that goes out on a line at `due`; `order` keeps equals in order."""

    due: int
    order: int
    line: Line
    tick: Tick


# Where only daily values are on offer, look once a minute.
_IDLE_MS = 60_000


class Publisher:
    """All lines of all indices, and the faults in force."""

    def __init__(
        self,
        indices: Iterable[Index],
        options: CfBenchmarksOptions,
        calendar: Calendar,
        history: History,
        ledger: Ledger,
    ) -> None:
        self.indices = {index.id: index for index in indices}
        self.lines = {
            (index.id, series): Line(index, series, options)
            for index in self.indices.values()
            for series in series_of(index)
        }
        self.faults: list[Fault] = []
        self._options = options
        self._calendar = calendar
        self._history = history
        self._ledger = ledger
        self._queue: list[Delivery] = []
        self._dailies: list[tuple[int, str]] = []
        self._grid_ms = _finest(self.indices.values())
        self._next_grid = 0
        self._made = 0
        self._values: dict[str, str] = {}

    def start(self, now_ms: int) -> None:
        """Begin at `now_ms`: each line knows the value that was published last."""
        self._next_grid = now_ms - now_ms % self._grid_ms + self._grid_ms
        for line in self.lines.values():
            self._begin_line(line, now_ms)

    def advance(self, now_ms: int) -> list[Delivery]:
        """Make the ticks whose time has come; return those that are due, in order."""
        self._skip(now_ms)
        while self._next_grid <= now_ms:
            self._on_grid(self._next_grid)
            self._next_grid += self._grid_ms
        while self._dailies and self._dailies[0][0] <= now_ms:
            self._on_day(*heapq.heappop(self._dailies))
        out = []
        while self._queue and self._queue[0].due <= now_ms:
            out.append(self._publish(heapq.heappop(self._queue)))
        return out

    def next_ms(self) -> int:
        """Return when `advance` has something to do again."""
        times = [self._next_grid]
        times += [self._dailies[0][0]] if self._dailies else []
        times += [self._queue[0].due] if self._queue else []
        return min(times)

    def next_second(self, now_ms: int) -> int:
        """Return the next whole second whose ticks are not made yet."""
        first = min(self._next_grid, now_ms + 1)
        return first + -first % SECOND_MS

    def amend(self, index: Index, tick: Tick, now_ms: int) -> None:
        """Publish a newer version of a tick at once, past all faults."""
        self._history.change(tick)
        for series in series_of(index):
            line = self.lines[index.id, series]
            on_line = index.rhythm is Rhythm.DAILY or not tick.time % line.lane.step_ms
            if series is not Series.STATS and on_line:
                self._push(line, Emit(tick, now_ms))

    def _begin_line(self, line: Line, now_ms: int) -> None:
        step = min(line.lane.step_ms, SECOND_MS)
        until = now_ms - line.most_delay_ms
        earlier = self._calendar.last_tick(line.index, until - until % step)
        if line.index.rhythm is Rhythm.DAILY:
            self._plan_daily(line.index, now_ms)
            earlier = self._begin_daily(line, earlier, now_ms)
        first = self._history.tick(line.index, earlier)
        if first is not None:
            line.latest = line.lane.last = line.shape(first)
            self._values[line.index.id] = first.value

    def _begin_daily(self, line: Line, effective: int, now_ms: int) -> int:
        """Return the last value that has arrived; one may still be on its way."""
        due = effective + line.delay_ms()
        self._history.arrives(line.index.id, effective, due)
        if due <= now_ms:
            return effective
        tick = self._history.tick(line.index, effective)
        if tick is not None:
            self._push(line, Emit(tick, due))
        return self._calendar.last_tick(line.index, effective - 1)

    def _plan_daily(self, index: Index, after_ms: int) -> None:
        when = self._calendar.next_daily(index, after_ms)
        heapq.heappush(self._dailies, (when, index.id))

    def _skip(self, now_ms: int) -> None:
        """After a long jump, go on from the present instead of catching up."""
        if now_ms - self._next_grid <= self._options.catch_up_s * 1000:
            return
        present = now_ms - now_ms % self._grid_ms
        self._ledger.add("skipped", from_ms=self._next_grid, until_ms=present)
        self._next_grid = present

    def _on_grid(self, time_ms: int) -> None:
        on_second = not time_ms % SECOND_MS
        for index in self.indices.values():
            if not on_second and index.rhythm is not Rhythm.FAST:
                continue
            if index.rhythm is Rhythm.DAILY:
                continue
            if self._calendar.has_tick(index, time_ms):
                self._make(index, time_ms)
        if on_second:
            self.faults = [f for f in self.faults if not f.over(time_ms)]

    def _on_day(self, time_ms: int, index_id: str) -> None:
        index = self.indices[index_id]
        self._make(index, time_ms)
        self._plan_daily(index, time_ms)

    def _make(self, index: Index, time_ms: int) -> None:
        tick = self._history.tick(index, time_ms)
        if tick is None:
            return
        tick = self._with_value_faults(index, tick)
        self._values[index.id] = tick.value
        for series in series_of(index):
            line = self.lines[index.id, series]
            if index.rhythm is Rhythm.DAILY or not time_ms % line.lane.step_ms:
                self._on_line(line, line.shape(tick))

    def _with_value_faults(self, index: Index, tick: Tick) -> Tick:
        def previous() -> str:
            if index.rhythm is Rhythm.DAILY:
                return self._history.previous(index, tick.time)
            return self._values[index.id]

        changed = tick
        for fault in self._hitting(index.id, tick, fault_tables.VALUE_FAULTS):
            changed = fault_tables.VALUE_FAULTS[fault.name](changed, fault, previous)
        if changed is not tick:
            self._history.change(changed._replace(odd=frozenset()))
        return changed

    def _on_line(self, line: Line, tick: Tick) -> None:
        emit = Emit(tick, tick.time + line.delay_ms())
        hits = self._hitting(
            line.name, tick, fault_tables.LINE_FAULTS, str(line.series)
        )
        emits = fault_tables.through(line.lane, emit, hits)
        if line.series is Series.DAILY and emits:
            self._history.arrives(tick.id, tick.time, emits[0].due)
        if any(fault.facts.get("history") is False for fault in hits):
            self._history.erase(tick.id, tick.time)
        for out in line.in_order(emits):
            self._push(line, out)

    def _hitting(
        self,
        place: str,
        tick: Tick,
        table: Iterable[str],
        series: str = fault_tables.ALL,
    ) -> list[Fault]:
        """Return the faults of a table that hit this tick, and write each hit down."""
        hits = [
            fault
            for fault in self.faults
            if fault.name in table and fault.takes(place, tick, series)
        ]
        for fault in hits:
            self._ledger.add(
                "fault",
                fault=fault.name,
                of=fault.number,
                id=tick.id,
                line=place,
                time=tick.time,
            )
        return hits

    def _push(self, line: Line, emit: Emit) -> None:
        self._made += 1
        heapq.heappush(self._queue, Delivery(emit.due, self._made, line, emit.tick))

    def _publish(self, delivery: Delivery) -> Delivery:
        line, tick = delivery.line, delivery.tick
        line.settle(tick)
        self._ledger.add(
            "tick",
            id=tick.id,
            series=str(line.series),
            time=tick.time,
            value=tick.value,
            amend_time=tick.amend_time,
            repeat=tick.repeat,
            due=delivery.due,
        )
        return delivery


def _finest(indices: Iterable[Index]) -> int:
    """Return the distance of the grid times on which something may be made."""
    steps = [i.step_ms for i in indices if i.rhythm is not Rhythm.DAILY]
    return min(steps, default=_IDLE_MS)
