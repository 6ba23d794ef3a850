"""Clocks around the hot path, for runs that measure latency and pauses."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Mapping, Sequence

from bridge.core.model import Receiver
from bridge.edge.clock import mono_ns

SECOND_NS = 1_000_000_000
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


class Watch:
    """Times each message of a paced run, twice.

    `note` is told when a frame came into our code: the way to `produce` having
    returned. `acked` is told how many records were acknowledged by now; acknowledgement
    n is taken for that of frame n, which was due n + 1 intervals after the start. Where
    partitions overtake each other that swaps neighbours, which moves no percentile.
    """

    def __init__(self) -> None:
        """Wait for `begin`."""
        self._inside = array("q")
        self._late = array("q")
        self._at_ns = 0
        self._interval_ns = 0
        self._before = 0

    def begin(self, at_ns: int, rate: int, delivered: int) -> None:
        """Forget the warm-up: `delivered` so far, frames start after `at_ns`."""
        self._inside, self._late = array("q"), array("q")
        self._at_ns, self._interval_ns = at_ns, SECOND_NS // rate
        self._before = delivered

    def note(self, start_ns: int) -> None:
        """Take the time since a frame came into our code."""
        self._inside.append(mono_ns() - start_ns)

    def acked(self, delivered: int) -> None:
        """Take the time for each acknowledgement that is new."""
        count = delivered - self._before - len(self._late)
        if self._interval_ns and count > 0:
            first = len(self._late) + 1
            base = mono_ns() - self._at_ns
            self._late.extend(
                base - n * self._interval_ns for n in range(first, first + count)
            )

    def summary(self) -> dict[str, dict[str, float]]:
        """Return percentiles: inside in us, from due to acknowledged in ms."""
        return {
            "inside_us": quantiles(self._inside, 1e3),
            "acknowledged_ms": quantiles(self._late, 1e6),
        }


class Timed:
    """A receiver around another one that tells a watch about every frame."""

    def __init__(
        self, inner: Receiver, watch: Watch, delivered: Callable[[], int]
    ) -> None:
        """Pass everything on to `inner`, which serves reports at the end of a chunk."""
        self._inner = inner
        self._note = watch.note
        self._acked = watch.acked
        self._delivered = delivered

    def on_frame(self, data: bytes, received_ns: int) -> None:
        """Pass a frame on and take the time."""
        start_ns = mono_ns()
        self._inner.on_frame(data, received_ns)
        self._note(start_ns)

    def on_chunk_end(self) -> None:
        """Pass the end of a read on, and look what it brought."""
        self._inner.on_chunk_end()
        self._acked(self._delivered())


class Pauses:
    """How long the garbage collector stopped everything."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.count = 0
        self.longest_ms = 0.0
        self._start_ns = 0
        gc.callbacks.append(self._on)

    def stop(self) -> None:
        """Listen no more."""
        gc.callbacks.remove(self._on)

    def _on(self, phase: str, _: Mapping[str, int]) -> None:
        if phase == "start":
            self._start_ns = mono_ns()
            return
        self.count += 1
        self.longest_ms = max(self.longest_ms, (mono_ns() - self._start_ns) / 1e6)


def quantiles(values: Sequence[int], unit: float) -> dict[str, float]:
    """Return p50, p99 and p99.9 in `unit` ns; empty without values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        name: round(ordered[min(last, int(share * len(ordered)))] / unit, 3)
        for name, share in QUANTILES.items()
        if ordered
    }
