"""What was published: the walk, and wherever faults or amendments differ from it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.cfbenchmarks.indices import Calendar, Index, Rhythm
from bridge.simulators.cfbenchmarks.values import Walk

# The most ticks remembered that differ from the walk; the oldest go first.
_KEPT = 100_000

_Key = tuple[str, int]
_V = TypeVar("_V")


class History:
    """Answers what the value of an index was at any time."""

    def __init__(self, walk: Walk, calendar: Calendar) -> None:
        self._walk = walk
        self._calendar = calendar
        # None marks a tick that was never published.
        self._changed: OrderedDict[_Key, Tick | None] = OrderedDict()
        self._arrivals: OrderedDict[_Key, int] = OrderedDict()

    def tick(self, index: Index, time_ms: int) -> Tick | None:
        """Return the newest version of the tick of that time, if it was published."""
        key = (index.id, time_ms)
        if key in self._changed:
            return self._changed[key]
        return Tick(index.id, time_ms, self._walk.text(index, time_ms))

    def change(self, tick: Tick) -> None:
        """Note a tick that differs from the walk, or a newer version of one."""
        _put(self._changed, (tick.id, tick.time), tick)

    def erase(self, index_id: str, time_ms: int) -> None:
        """Note that there is no such tick."""
        _put(self._changed, (index_id, time_ms), None)

    def arrives(self, index_id: str, time_ms: int, arrival_ms: int) -> None:
        """Note when a daily value is published."""
        _put(self._arrivals, (index_id, time_ms), arrival_ms)

    def previous(self, index: Index, time_ms: int) -> str:
        """Return the value before the one at `time_ms`."""
        earlier = self._calendar.last_tick(index, time_ms - 1)
        tick = self.tick(index, earlier)
        return tick.value if tick else self._walk.text(index, earlier)

    def between(
        self, index: Index, first_ms: int, last_ms: int, now_ms: int, step_ms: int = 0
    ) -> list[Tick]:
        """Return the ticks from `first_ms` to `last_ms`, ascending, both included.

        Args:
            index: Whose ticks.
            first_ms: The oldest time.
            last_ms: The newest time.
            now_ms: Ticks that are published later are left out.
            step_ms: A coarser grid than the index's own, if not 0.
        """
        last_ms = min(last_ms, now_ms)
        if index.rhythm is Rhythm.DAILY:
            times = self._calendar.dailies(index, first_ms, last_ms)
        else:
            step = max(step_ms, index.step_ms)
            grid = range(first_ms + -first_ms % step, last_ms + 1, step)
            times = [t for t in grid if self._calendar.has_tick(index, t)]
        arrived = (t for t in times if self._arrivals.get((index.id, t), t) <= now_ms)
        ticks = (self.tick(index, t) for t in arrived)
        return [tick for tick in ticks if tick is not None]


def _put(store: OrderedDict[_Key, _V], key: _Key, value: _V) -> None:
    store[key] = value
    if len(store) > _KEPT:
        store.popitem(last=False)
