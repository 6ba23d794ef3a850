"""What is watched while a worker runs: its pulse, producers and reading threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.core.health import Out, Thread
from bridge.core.model import Now
from bridge.core.tallies import Tallies
from bridge.edge.membership import Progress
from bridge.errors import BridgeError
from bridge.flow.latency import Histogram

NS = 1_000_000_000
FEEDS = "feeds"
ORDERS = "orders"


class Producing(Protocol):
    """What is looked at of a producer."""

    on_latency: Callable[[int], None]

    @property
    def acked(self) -> int:
        """Return how many records Kafka has."""

    @property
    def outstanding(self) -> int:
        """Return how many records have no known fate yet."""

    @property
    def fatal(self) -> BridgeError | None:
        """Return why it cannot go on, if it cannot."""


class Stall:
    """How long something has not moved although it should have."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self._since_ns: int | None = None

    def note(self, now_ns: int, *, moving: bool) -> None:
        """Take a look; `moving` also where there is nothing to do."""
        if moving:
            self._since_ns = None
        elif self._since_ns is None:
            self._since_ns = now_ns

    def seconds(self, now_ns: int) -> float:
        """Return how long it has stood; 0 if it moves."""
        return 0.0 if self._since_ns is None else (now_ns - self._since_ns) / NS


class _Producer:
    """One producer under watch."""

    def __init__(self, producer: Producing) -> None:
        self.producer = producer
        self.stall = Stall()
        self._acked = 0

    def look(self, now_ns: int) -> None:
        acked = self.producer.acked
        idle = not self.producer.outstanding
        self.stall.note(now_ns, moving=idle or acked != self._acked)
        self._acked = acked

    def out(self, name: str, now_ns: int) -> Out:
        waiting, fatal = self.producer.outstanding, self.producer.fatal
        stalled_s = self.stall.seconds(now_ns)
        text = str(fatal) if fatal else ""
        return Out(name=name, waiting=waiting, stalled_s=stalled_s, fatal=text)


class _Reader:
    """One reading thread under watch."""

    def __init__(self, progress: Callable[[], Progress | None]) -> None:
        self.progress = progress
        self.stall = Stall()
        self._lag = 0

    def look(self, now_ns: int) -> None:
        lag = lag_of(self.progress())
        self.stall.note(now_ns, moving=not lag or lag < self._lag)
        self._lag = lag

    def thread(self, name: str, now_ns: int) -> Thread | None:
        found = self.progress()
        if found is None:
            return None
        return Thread(
            name=name,
            age_s=max(0.0, (now_ns - found.polled_ns) / NS),
            lag=lag_of(found),
            lag_s=self.stall.seconds(now_ns),
            is_member=found.is_member,
        )


class Vitals:
    """Watches from the worker's pulse; asked by whoever looks at the worker."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.tallies = Tallies()
        self.lag = Histogram()
        self.deliveries: Mapping[str, Histogram] = {
            name: Histogram() for name in (FEEDS, ORDERS)
        }
        self._pulse_ns: int | None = None
        self._producers: dict[str, _Producer] = {}
        self._readers: dict[str, _Reader] = {}

    def watch_producer(self, name: str, producer: Producing) -> None:
        """Watch a producer from now on, its latencies included."""
        producer.on_latency = self.deliveries[name].add
        self._producers[name] = _Producer(producer)

    def watch_reader(self, name: str, progress: Callable[[], Progress | None]) -> None:
        """Watch a reading thread from now on; it may begin to tell later."""
        self._readers[name] = _Reader(progress)

    def beat(self, now: Now, pause_s: float) -> None:
        """Note that the pulse has come round after a pause that should last so long."""
        if self._pulse_ns is not None:
            late_ns = now.mono_ns - self._pulse_ns - int(pause_s * NS)
            self.lag.add(late_ns // 1000)
        self._pulse_ns = now.mono_ns
        for producer in self._producers.values():
            producer.look(now.mono_ns)
        for reader in self._readers.values():
            reader.look(now.mono_ns)

    def pulse_s(self, now: Now) -> float:
        """Return how long ago the pulse came round."""
        before_ns = now.mono_ns if self._pulse_ns is None else self._pulse_ns
        return (now.mono_ns - before_ns) / NS

    def outs(self, now: Now) -> list[Out]:
        """Return how the producers are."""
        return [one.out(name, now.mono_ns) for name, one in self._producers.items()]

    def threads(self, now: Now) -> list[Thread]:
        """Return how the reading threads are."""
        found = [one.thread(name, now.mono_ns) for name, one in self._readers.items()]
        return [thread for thread in found if thread is not None]


def lag_of(progress: Progress | None) -> int:
    """Return what lies in Kafka and was not handed over, where it is known."""
    return sum(lag or 0 for _, lag in progress.lags) if progress else 0
