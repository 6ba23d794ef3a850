"""What a worker remembers of the log: commands, keys, the position, its appends."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

import msgspec

from bridge.core.claims_case import MS_NS, Case, Limits, Stage
from bridge.core.orders import Entry, Key, Phase


class Memory:
    """All commands of the window, by offset and by key.

    A key's first command is decided by the log; one that we only intend to claim holds
    the place until the log shows another. `mine` are the commands issued here, `asked`
    those that the venue is asked about, `followers` the repeats that wait for a first,
    `disputed` what contradicts its final record, with the time to correct it.
    """

    def __init__(self, limits: Limits) -> None:
        """Remember nothing yet."""
        self.cases: dict[int, Case] = {}
        self.open: dict[int, Case] = {}
        self.mine: dict[Key, Case] = {}
        self.asked: dict[Key, Case] = {}
        self.followers: dict[int, list[Case]] = {}
        self.disputed: dict[int, int] = {}
        self._limits = limits
        self._firsts: dict[Key, Case] = {}
        self._heap: list[int] = []
        self._next: int | None = None
        self._committed = 0

    @property
    def position(self) -> int | None:
        """Return the first offset, from the oldest known on, without a record."""
        if not self.cases:
            return None
        offset = min(self.cases)
        while offset in self.cases:
            offset += 1
        return offset

    def add(self, case: Case) -> Case:
        """Remember a new command, which is open."""
        self.cases[case.offset] = case
        self.open[case.offset] = case
        heappush(self._heap, case.offset)
        return case

    def closed(self, case: Case) -> None:
        """Note that a command has its binding final record; keep little of it."""
        case.record = msgspec.structs.replace(case.record, request="", result=None)
        case.command = None
        self.open.pop(case.offset, None)
        self.asked.pop(case.key, None)

    def first(self, key: Key, at_ms: int, *, logged: bool = False) -> Case | None:
        """Return the key's first command, if a use at `at_ms` would repeat it."""
        case = self._firsts.get(key)
        if case is None or (logged and not case.logged):
            return None
        if at_ms - case.seen_ms >= self._limits.dedup_ms:
            return None
        return case

    def take(self, case: Case) -> None:
        """Make a command its key's first."""
        self._firsts[case.key] = case

    def deliver(self, offset: int) -> bool:
        """Note that a command was delivered; False if it was before."""
        if self.passed(offset):
            return False
        if self._next is None:
            self._committed = offset
        self._next = offset + 1
        return True

    def passed(self, offset: int) -> bool:
        """Tell whether the command of an offset can no longer be delivered."""
        return self._next is not None and offset < self._next

    def advance(self) -> int | None:
        """Return the first offset without a final record, if it has moved on."""
        while self._heap and self._heap[0] not in self.open:
            heappop(self._heap)
        if self._next is None:
            return None
        reached = min(self._next, self._heap[0]) if self._heap else self._next
        if reached <= self._committed:
            return None
        self._committed = reached
        return reached

    def forget(self, now_ns: int) -> None:
        """Drop what is final, committed and older than the window, the oldest first.

        Counted on our own clock from when we read it, with the longest wait on top: a
        key forgotten too late refuses a command, too early could send one twice.
        """
        window_ms = self._limits.dedup_ms + self._limits.ask_limit_ms
        horizon_ns = now_ns - window_ms * MS_NS
        for case in self._oldest():
            if case.stage is not Stage.FINAL or case.since_ns > horizon_ns:
                return
            del self.cases[case.offset]
            for index in (self._firsts, self.mine):
                if index.get(case.key) is case:
                    del index[case.key]

    def _oldest(self) -> Iterator[Case]:
        while self.cases:
            yield next(iter(self.cases.values()))


class Unread:
    """What was appended and has not been read back, one record an offset and phase."""

    def __init__(self, retry_ms: int) -> None:
        """Append again after `retry_ms`."""
        self._retry_ns = retry_ms * MS_NS
        self._records: dict[tuple[int, Phase], tuple[Entry, int]] = {}

    def __len__(self) -> int:
        """Return how many records are expected."""
        return len(self._records)

    def put(self, entry: Entry, now_ns: int) -> None:
        """Expect a record in the log."""
        again_ns = now_ns + self._retry_ns
        self._records[entry.command_offset, entry.phase] = (entry, again_ns)

    def drop(self, offset: int, *phases: Phase) -> None:
        """Expect a record no longer: it was read, or is no longer wanted."""
        for phase in phases:
            self._records.pop((offset, phase), None)

    def lost(self, entry: Entry) -> None:
        """Make a record due at once, if it is still expected."""
        place = (entry.command_offset, entry.phase)
        if (known := self._records.get(place)) is not None:
            self._records[place] = (known[0], 0)

    def awaits(self, entry: Entry) -> bool:
        """Tell whether a record is expected, and has not been read yet."""
        return (entry.command_offset, entry.phase) in self._records

    def due(self, now_ns: int) -> list[Entry]:
        """Return what to append again now."""
        late = [entry for entry, at_ns in self._records.values() if at_ns <= now_ns]
        for entry in late:
            self.put(entry, now_ns)
        return late
