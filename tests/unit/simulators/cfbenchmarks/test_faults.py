"""Faults of ticks: `bridge.simulators.cfbenchmarks.faults`."""

import pytest

from bridge.simulators.cfbenchmarks.faults import LINE_FAULTS, VALUE_FAULTS, Fault
from bridge.simulators.cfbenchmarks.frames import Tick
from bridge.simulators.cfbenchmarks.lines import Series
from tests.unit.simulators.cfbenchmarks.scenes import INDICES, START_MS, Scene, of


def lasting(fault: Fault, seconds: int) -> Fault:
    fault.end = fault.start + seconds * 1000
    return fault


@pytest.mark.parametrize("seconds", [1, 7, 30])
def test_missing_ticks(seconds: int) -> None:
    """A gap of so many seconds lacks exactly so many whole seconds."""
    scene = Scene("BRTI")
    lasting(scene.fault("missing", "BRTI"), seconds)
    out = scene.play(seconds + 10)
    times = of(out, Series.SECOND)
    lost = {e["time"] for e in scene.ledger.entries("fault")}
    first = START_MS + 1000
    assert [t for t in times if t < first + seconds * 1000] == []
    assert times[0] == first + seconds * 1000
    assert sum(t % 1000 == 0 for t in lost) == seconds
    assert len(lost) == 5 * seconds


def test_missing_ticks_are_in_history_unless_told() -> None:
    """What the live feed lost can be repaired over REST, or not, as asked."""
    for keep, expected in ((None, 5), (False, 2)):
        scene = Scene("LTCUSD_RTI")
        facts = {} if keep is None else {"history": keep}
        lasting(scene.fault("missing", "LTCUSD_RTI", **facts), 3)
        scene.play(6)
        index, end = INDICES["LTCUSD_RTI"], START_MS + 5000
        assert len(scene.history.between(index, START_MS + 1, end, end)) == expected


def test_a_frozen_value() -> None:
    """Freeze: the same value, moving times, in every series and in history."""
    scene = Scene("BRTI")
    scene.play(2)
    lasting(scene.fault("freeze", "BRTI"), 5)
    out = [d for d in scene.play(8) if d.line.series is Series.FAST]
    frozen = [d.tick for d in out if START_MS + 3000 <= d.tick.time < START_MS + 8000]
    assert len(frozen) == 25
    assert len({tick.value for tick in frozen}) == 1
    stored = scene.history.tick(INDICES["BRTI"], START_MS + 4000)
    assert stored is not None
    assert stored.value == frozen[0].value


def test_a_stalled_time() -> None:
    """Stall: the same frame again and again, at the usual rhythm."""
    scene = Scene("LTCUSD_RTI")
    scene.play(2.5)
    lasting(scene.fault("stall"), 4)
    out = [d for d in scene.play(6) if d.line.series is Series.SECOND]
    assert [d.tick for d in out[:4]] == [out[0].tick] * 4
    assert out[0].tick.time == START_MS + 2000
    assert out[4].tick.time == START_MS + 7000


def test_duplicates() -> None:
    """Duplicate: a tick comes again, as often as asked, exactly the same."""
    scene = Scene("LTCUSD_RTI")
    scene.fault("duplicate", copies=2).ticks = 1
    out = [d.tick for d in scene.play(4) if d.line.series is Series.SECOND]
    assert out[0] == out[1] == out[2]
    assert out[3].time == out[0].time + 1000


@pytest.mark.parametrize("by", [1, 3, 5])
def test_reordering(by: int) -> None:
    """Reorder: a tick comes after the 1 to 5 that follow it."""
    scene = Scene("LTCUSD_RTI")
    scene.fault("reorder", by=by).ticks = 1
    times = of(scene.play(10), Series.SECOND, "LTCUSD_RTI")
    assert times.index(START_MS + 1000) == by
    assert sorted(times) == [START_MS + 1000 * n for n in range(1, 10)]


def test_a_late_burst() -> None:
    """Burst: silence, then everything at once and in order; nothing is lost."""
    scene = Scene("LTCUSD_RTI")
    fault = lasting(scene.fault("burst"), 5)
    out = [d for d in scene.play(10) if d.line.series is Series.SECOND]
    assert [d.tick.time for d in out] == [START_MS + 1000 * n for n in range(1, 10)]
    held = [d for d in out if d.tick.time < (fault.end or 0)]
    assert {d.due for d in held} == {fault.end}


def test_silence_ends_only_when_told() -> None:
    """Silence: no ticks at all, as long as the fault is in force."""
    scene = Scene("BRTI", "LTCUSD_RTI")
    scene.fault("silence")
    assert [d for d in scene.play(60) if d.tick.time > START_MS + 999] == []
    scene.publisher.faults.clear()
    assert scene.play(5)


def test_a_late_value() -> None:
    """Late: a daily value comes later than its half hour."""
    scene = Scene("BRR")
    scene.fault("late", "BRR", by_ms=7_200_000).ticks = 1
    first, second = scene.play(2 * 86_400)
    assert first.due - first.tick.time >= 7_200_000
    assert second.due - second.tick.time <= 1_800_000


def test_a_repeated_daily_value() -> None:
    """Repeat: yesterday's value with `repeatOfPreviousValue`, once."""
    scene = Scene("BRR")
    scene.play(86_400)
    scene.fault("repeat", "BRR").ticks = 1
    yesterday = scene.publisher.lines["BRR", Series.DAILY].latest
    first, second = scene.play(2 * 86_400)
    assert yesterday is not None
    assert (first.tick.value, first.tick.repeat) == (yesterday.value, True)
    assert not second.tick.repeat


def test_a_daily_value_that_never_came() -> None:
    """A value missing until the next day: one gap, then the next day's."""
    scene = Scene("BRR")
    scene.fault("missing", "BRR", history=False).ticks = 1
    (only,) = scene.play(2 * 86_400)
    assert only.tick.time == START_MS + 28 * 3_600_000
    assert scene.history.tick(INDICES["BRR"], START_MS + 4 * 3_600_000) is None


@pytest.mark.parametrize(
    ("name", "facts", "expected"),
    [
        ("zero", {}, "0.00"),
        ("negative", {}, "-50000.25"),
        ("huge", {"digits": 5}, "99999.25"),
        ("many_decimals", {"decimals": 6}, "50000.257777"),
        ("value", {"value": "1e5"}, "1e5"),
    ],
)
def test_strange_values(name: str, facts: dict[str, object], expected: str) -> None:
    """Values at the edge of what a rate can be, each on demand."""
    fault = Fault(number=1, name=name, id="*", facts=dict(facts))
    tick = VALUE_FAULTS[name](Tick("BRTI", 0, "50000.25"), fault, lambda: "1.00")
    assert tick.value == expected


@pytest.mark.parametrize("name", ["seconds_time", "extra_fields", "null_optionals"])
def test_odd_frames_leave_the_truth_alone(name: str) -> None:
    """An oddly written frame changes the text on the wire, not what was published."""
    scene = Scene("LTCUSD_RTI")
    scene.fault(name).ticks = 1
    tick = next(d.tick for d in scene.play(3) if d.line.series is Series.SECOND)
    stored = scene.history.tick(INDICES["LTCUSD_RTI"], tick.time)
    assert tick.odd == {name}
    assert stored == tick._replace(odd=frozenset())


def test_crossed_statistics() -> None:
    """Crossed: bid above value above ask; values themselves are left alone."""
    scene = Scene("BRTI")
    lasting(scene.fault("crossed"), 20)
    ticks = [d.tick for d in scene.play(20) if d.tick.stats]
    assert any(t.stats and t.stats.bid > t.stats.ask for t in ticks)


def test_faults_of_one_series() -> None:
    """A fault may name a series; the others are not hit."""
    scene = Scene("BRTI")
    scene.fault("missing").series = Series.FAST
    out = scene.play(10)
    assert len(of(out, Series.SECOND)) == 9
    assert max(of(out, Series.FAST)) < START_MS + 1000


def test_faults_of_one_index() -> None:
    """A fault of one index leaves the others alone."""
    scene = Scene("BRTI", "LTCUSD_RTI")
    scene.fault("missing", "BRTI")
    assert len(of(scene.play(10), Series.SECOND, "LTCUSD_RTI")) == 9


def test_faults_that_are_over_are_dropped() -> None:
    """A fault that can hit nothing more leaves the list."""
    scene = Scene("LTCUSD_RTI")
    lasting(scene.fault("missing", "LTCUSD_RTI"), 1)
    scene.fault("duplicate", "LTCUSD_RTI").ticks = 1
    scene.play(3700)
    assert scene.publisher.faults == []


def test_every_fault_tells_what_it_does() -> None:
    """The functions of the tables have docstrings, except the shared one."""
    named = {**VALUE_FAULTS, **LINE_FAULTS}
    odd = {"seconds_time", "extra_fields", "null_optionals"}
    assert all(function.__doc__ for name, function in named.items() if name not in odd)
