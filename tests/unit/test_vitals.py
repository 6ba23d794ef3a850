"""What is watched from the pulse: lateness, stalled producers, hanging threads."""

from __future__ import annotations

from collections.abc import Callable

from bridge.app.vitals import Vitals
from bridge.core.model import Now
from bridge.edge.membership import Progress
from bridge.errors import BridgeError

S = 1_000_000_000


class Fake:
    """A producer whose numbers a test sets."""

    def __init__(self) -> None:
        self.acked = 0
        self.outstanding = 0
        self.fatal: BridgeError | None = None
        self.on_latency: Callable[[int], None] = _never


def _never(microseconds: int) -> None:
    raise AssertionError(microseconds)


def at(seconds: float) -> Now:
    return Now(0, int(seconds * S))


def test_a_producer_stalls_while_records_wait_and_none_is_acknowledged() -> None:
    vitals, producer = Vitals(), Fake()
    vitals.watch_producer("feeds", producer)

    def after(seconds: float) -> float:
        vitals.beat(at(seconds), 0.02)
        return vitals.outs(at(seconds))[0].stalled_s

    assert after(0) == 0.0
    producer.outstanding = 3
    assert [after(1), after(5)] == [0.0, 4.0]
    producer.acked = 1
    assert after(6) == 0.0
    assert [after(7), after(9)] == [0.0, 2.0]
    producer.outstanding = 0
    assert after(10) == 0.0


def test_a_lag_that_does_not_fall_is_timed() -> None:
    vitals, lags = Vitals(), [0]
    place = ("commands", 0)
    vitals.watch_reader("commands", lambda: Progress(0, 0, ((place, lags[0]),)))

    def after(seconds: float, lag: int) -> float:
        lags[0] = lag
        vitals.beat(at(seconds), 0.02)
        return vitals.threads(at(seconds))[0].lag_s

    assert after(0, 0) == 0.0
    assert [after(1, 5), after(4, 7)] == [0.0, 3.0]
    assert after(5, 6) == 0.0
    assert after(6, 0) == 0.0


def test_a_thread_that_does_not_come_round_ages() -> None:
    vitals = Vitals()
    vitals.watch_reader("a", lambda: Progress(2 * S))
    vitals.watch_reader("b", lambda: None)
    (found,) = vitals.threads(at(10))
    assert (found.name, found.age_s) == ("a", 8.0)


def test_a_late_pulse_is_measured() -> None:
    vitals = Vitals()
    vitals.beat(at(1.0), 0.02)
    vitals.beat(at(1.02), 0.02)
    vitals.beat(at(1.54), 0.02)
    assert sum(vitals.lag.counts) == 2
    assert vitals.lag.max_us == 500_000
    assert vitals.pulse_s(at(2.54)) == 1.0
