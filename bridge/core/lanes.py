"""Commands that wait for the connection: cancels, then queries, then all else."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

from bridge.core.orders import Lane

T = TypeVar("T")

_SPARE = 64  # stale deadlines that are not worth a clean-up


class _Item(NamedTuple, Generic[T]):
    value: T
    deadline: int


class Lanes(Generic[T]):
    """The queue of one account; each lane is first in, first out, and bounded.

    A lane that is full leaves the others alone, so orders never keep a cancel out.
    Deadlines are whole numbers on the clock of `now`, whichever that is. An item leaves
    exactly once: through `pop` before its deadline, or through `expired` from it on.
    """

    __slots__ = ("_deadlines", "_lanes", "_limit", "_next")

    def __init__(self, limit: int) -> None:
        """Hold at most `limit` items in each lane."""
        self._limit = limit
        self._lanes: dict[Lane, OrderedDict[int, _Item[T]]] = {
            lane: OrderedDict() for lane in Lane
        }
        self._deadlines: list[tuple[int, int, Lane]] = []
        self._next = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def waiting(self, lane: Lane) -> int:
        """Return how many items a lane holds."""
        return len(self._lanes[lane])

    def put(self, value: T, lane: Lane, deadline: int) -> bool:
        """Add an item; False if its lane is full, then nothing was added."""
        queue = self._lanes[lane]
        if len(queue) >= self._limit:
            return False
        number, self._next = self._next, self._next + 1
        queue[number] = _Item(value, deadline)
        heapq.heappush(self._deadlines, (deadline, number, lane))
        self._forget_stale()
        return True

    def pop(self, now: int) -> T | None:
        """Remove and return the first item of the first lane; None if there is none.

        Items past their deadline are passed over; they are left to `expired`.
        """
        for queue in self._lanes.values():
            for number, item in queue.items():
                if now < item.deadline:
                    del queue[number]
                    return item.value
        return None

    def expired(self, now: int) -> list[T]:
        """Remove and return all items past their deadline, the earliest first."""
        gone = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, number, lane = heapq.heappop(self._deadlines)
            item = self._lanes[lane].pop(number, None)
            if item is not None:
                gone.append(item.value)
        return gone

    def drain(self) -> list[T]:
        """Remove and return everything, in the order in which it would have gone."""
        values = [i.value for queue in self._lanes.values() for i in queue.values()]
        self._deadlines.clear()
        for queue in self._lanes.values():
            queue.clear()
        return values

    def _forget_stale(self) -> None:
        """Drop the deadlines of items that left by `pop`, once they are the most."""
        if len(self._deadlines) > 2 * len(self) + _SPARE:
            kept = [d for d in self._deadlines if d[1] in self._lanes[d[2]]]
            heapq.heapify(kept)
            self._deadlines = kept
