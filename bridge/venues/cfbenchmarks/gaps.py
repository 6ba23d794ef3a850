"""Missing ticks: which times of the grid did not come, and when to say so.

A time that is passed over waits for a settling time, since frames may come late; only
then it is a gap. Indices publish on whole seconds, a few of them every 200 ms, and
which ones may change: the finer grid is learned from the frames.
Source: CF Benchmarks WebSocket API v4 and Kalshi's relay manual, "Timestamps, rate".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date

import msgspec

SETTLE_MS = 3_000  # how long a late frame is waited for; our choice
COARSE_MS, FINE_MS = 1_000, 200
# Steps in a row that prove another grid: one second of the fine one, ten of the coarse
# one, which lost ticks of the fine one could imitate; our choice.
PROOFS = {FINE_MS: 5, COARSE_MS: 10}
SPANS_KEPT = 256  # runs of missing times that may wait; more are reported at once
SPANS_SHOWN = 50  # runs listed in one boundary record; more make a second record


class Span(msgspec.Struct, frozen=True):
    """Missing times `first`, `first + step`, ... `last`, passed over at `since_ms`."""

    first: int
    last: int
    step: int
    since_ms: int

    @property
    def count(self) -> int:
        """Return how many times are missing."""
        return (self.last - self.first) // self.step + 1

    @property
    def text(self) -> str:
        """Return the run as a boundary's detail lists it."""
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}..{self.last} step {self.step}"

    def without(self, time_ms: int) -> Sequence[Span] | None:
        """Return what is left when `time_ms` has come; None if it is not missing."""
        if not self.first <= time_ms <= self.last or (time_ms - self.first) % self.step:
            return None
        before = Span(self.first, time_ms - self.step, self.step, self.since_ms)
        after = Span(time_ms + self.step, self.last, self.step, self.since_ms)
        return [part for part in (before, after) if part.first <= part.last]


def reports(spans: Sequence[Span]) -> Iterator[tuple[str, int]]:
    """Yield the text of each boundary record and how many times it lists."""
    for start in range(0, len(spans), SPANS_SHOWN):
        part = spans[start : start + SPANS_SHOWN]
        yield ", ".join(span.text for span in part), sum(span.count for span in part)


class Grid:
    """The expected times of one subscription.

    `stretch` tells which part of time a source time belongs to; the grid starts anew
    in each. `step_ms` None means that there is no grid.
    """

    __slots__ = (
        "_fine",
        "_newest_ms",
        "_next_ms",
        "_part",
        "_proofs",
        "_spans",
        "_stretch",
        "step_ms",
    )

    def __init__(
        self,
        step_ms: int | None,
        stretch: Callable[[int], date | None],
        resume_ms: int | None = None,
        *,
        fine: bool = True,
    ) -> None:
        """Expect what follows `resume_ms`, or start at the first frame seen.

        `fine` False means that ticks between whole seconds were not asked for.
        """
        self.step_ms = step_ms
        self._stretch = stretch
        self._fine = fine
        self._spans: list[Span] = []
        self._newest_ms = self._next_ms = 0
        self._proofs = 0
        self._part: date | None = None
        if resume_ms is not None and step_ms is not None:
            self._restart(resume_ms, step_ms)

    def see(self, time_ms: int, mono_ms: int) -> None:
        """Note that `time_ms` has come."""
        step = self.step_ms
        if step is None:
            return
        if self._fine and time_ms > self._newest_ms:
            step = self._learn(time_ms, step)
        if not self._next_ms or self._stretch(time_ms) != self._part:
            self._restart(time_ms, step)
        elif time_ms < self._next_ms:
            self._fill(time_ms)
        elif time_ms % step == 0:
            self._advance(time_ms, step, mono_ms)

    def due(self, mono_ms: int) -> list[Span]:
        """Take out what has been missing for longer than the settling time."""
        ripe = max(0, len(self._spans) - SPANS_KEPT)
        while ripe < len(self._spans):
            if mono_ms - self._spans[ripe].since_ms <= SETTLE_MS:
                break
            ripe += 1
        return self._take(ripe)

    def drain(self) -> list[Span]:
        """Take out all that is missing: the connection ends."""
        return self._take(len(self._spans))

    def _take(self, count: int) -> list[Span]:
        taken, self._spans[:count] = self._spans[:count], []
        return taken

    def _restart(self, time_ms: int, step: int) -> None:
        self._part = self._stretch(time_ms)
        self._newest_ms = time_ms
        self._next_ms = time_ms - time_ms % step + step

    def _advance(self, time_ms: int, step: int, mono_ms: int) -> None:
        if time_ms > self._next_ms:
            self._spans.append(Span(self._next_ms, time_ms - step, step, mono_ms))
        self._next_ms = time_ms + step

    def _fill(self, time_ms: int) -> None:
        """Strike a late time off the list."""
        for position, span in enumerate(self._spans):
            left = span.without(time_ms)
            if left is not None:
                self._spans[position : position + 1] = left
                return

    def _learn(self, time_ms: int, step: int) -> int:
        """Change to the other grid when enough steps in a row have proved it."""
        other = FINE_MS if step == COARSE_MS else COARSE_MS
        stepped = time_ms - self._newest_ms == other and time_ms % other == 0
        self._proofs = self._proofs + 1 if stepped else 0
        self._newest_ms = time_ms
        if self._proofs < PROOFS[other]:
            return step
        self.step_ms, self._proofs = other, 0
        self._next_ms = time_ms + other
        return other
