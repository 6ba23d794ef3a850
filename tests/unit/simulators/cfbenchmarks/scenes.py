"""A publisher on a clock that stands still, for tests without sockets."""

from bridge.simulators.cfbenchmarks.faults import Fault
from bridge.simulators.cfbenchmarks.history import History
from bridge.simulators.cfbenchmarks.indices import HOSTS, Calendar
from bridge.simulators.cfbenchmarks.lines import Series
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions
from bridge.simulators.cfbenchmarks.ticks import Delivery, Publisher
from bridge.simulators.cfbenchmarks.values import Walk
from bridge.simulators.clock import VirtualClock
from bridge.simulators.ledger import Ledger

# Wednesday 2026-01-14 12:00:00 UTC.
START_MS = 1_768_392_000_000
INDICES = {index.id: index for host in HOSTS.values() for index in host}


class Scene:
    """A publisher of a few indices, driven by hand."""

    def __init__(self, *ids: str, start_ms: int = START_MS, seed: int = 1) -> None:
        self.clock = VirtualClock(speed=0, start_ms=start_ms)
        self.options = CfBenchmarksOptions(seed=seed, spike_per_mille=0)
        self.calendar = Calendar()
        self.history = History(Walk(seed), self.calendar)
        self.ledger = Ledger(self.clock)
        self.publisher = Publisher(
            [INDICES[index_id] for index_id in ids],
            self.options,
            self.calendar,
            self.history,
            self.ledger,
        )
        self.publisher.start(start_ms)

    def play(self, seconds: float) -> list[Delivery]:
        """Let time pass, step by step as the running simulator does."""
        end = self.clock.now_ms() + int(seconds * 1000)
        out: list[Delivery] = []
        while self.publisher.next_ms() <= end:
            when = self.publisher.next_ms()
            self.clock.jump((when - self.clock.now_ms()) / 1000)
            out += self.publisher.advance(max(when, self.clock.now_ms()))
        self.clock.jump((end - self.clock.now_ms()) / 1000)
        return out

    def fault(self, name: str, index_id: str = "*", **facts: object) -> Fault:
        """Set a fault that begins with the next whole second."""
        fault = Fault(
            number=1,
            name=name,
            id=index_id,
            start=self.publisher.next_second(self.clock.now_ms()),
            facts=dict(facts),
        )
        self.publisher.faults.append(fault)
        return fault


def of(deliveries: list[Delivery], series: Series, index_id: str = "BRTI") -> list[int]:
    """Return the tick times of one line, in the order of delivery."""
    return [
        delivery.tick.time
        for delivery in deliveries
        if delivery.line.series is series and delivery.tick.id == index_id
    ]
