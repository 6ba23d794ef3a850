"""Publishing: `bridge.simulators.cfbenchmarks.ticks`, with `lines`."""

from decimal import Decimal
from itertools import pairwise

from bridge.simulators.cfbenchmarks.indices import FAST_MS, SECOND_MS
from bridge.simulators.cfbenchmarks.lines import Series, units_of
from tests.unit.simulators.cfbenchmarks.scenes import INDICES, START_MS, Scene, of

DAY_S = 86_400


def test_ticks_stand_on_exact_grids() -> None:
    """Whole seconds, and five a second for the fast indices; none is left out."""
    out = Scene("BRTI", "LTCUSD_RTI").play(60)
    fast, slow = of(out, Series.FAST), of(out, Series.SECOND, "LTCUSD_RTI")
    assert {b - a for a, b in pairwise(fast)} == {FAST_MS}
    assert {b - a for a, b in pairwise(slow)} == {SECOND_MS}
    assert (fast[0], slow[0]) == (START_MS + FAST_MS, START_MS + SECOND_MS)


def test_the_series_agree_at_phase_000() -> None:
    """A per-second tick equals the 200 ms tick of the same time (observed)."""
    out = Scene("BRTI").play(30)
    by_series = {
        series: {d.tick.time: d.tick for d in out if d.line.series is series}
        for series in (Series.FAST, Series.SECOND)
    }
    assert len(by_series[Series.SECOND]) == 29
    assert by_series[Series.SECOND].items() <= by_series[Series.FAST].items()


def test_an_hour_has_18000_ticks_and_3600_seconds() -> None:
    """An hour of a fast index: 18,000 ticks, of which 3,600 on whole seconds."""
    times = of(Scene("BRTI").play(3601), Series.FAST)
    hour = [t for t in times if START_MS < t <= START_MS + 3_600_000]
    assert len(hour) == 18_000
    assert sum(t % SECOND_MS == 0 for t in hour) == 3600


def test_delays_stay_in_their_ranges() -> None:
    """60 to 120 ms for the 1 s series, 25 to 60 ms for the 200 ms series."""
    out = Scene("BRTI").play(120)
    for series, least, most in ((Series.SECOND, 60, 120), (Series.FAST, 25, 60)):
        delays = {d.due - d.tick.time for d in out if d.line.series is series}
        assert least <= min(delays) < max(delays) <= most


def test_spikes_do_not_reorder() -> None:
    """A late tick holds back the ones behind it: a line stays in order."""
    scene = Scene("BRTI")
    scene.options.spike_per_mille, scene.options.spike_ms = 300, 2000
    out = scene.play(120)
    times = of(out, Series.FAST)
    assert times == sorted(times)
    assert max(d.due - d.tick.time for d in out) > 1000


def test_the_seed_decides_delays_too() -> None:
    """The same seed repeats every tick and every delay."""
    first, same = (
        [(d.due, d.line.name, d.tick) for d in Scene("BRTI", "BRR").play(20)]
        for _ in range(2)
    )
    assert first == same


def test_a_daily_value_arrives_within_half_an_hour() -> None:
    """`time` is the effective hour; the frame comes 0 to 30 minutes later."""
    out = Scene("BRR").play(3 * DAY_S)
    assert len(out) == 3
    assert all(0 <= d.due - d.tick.time <= 1_800_000 for d in out)
    assert all(d.tick.time % 86_400_000 == 16 * 3_600_000 for d in out)


def test_daylight_saving_moves_the_daily_value() -> None:
    """Over London's change on 2026-03-29 the effective hour moves by one in UTC."""
    friday = 1_774_569_600_000  # 2026-03-27T00:00Z
    times = of(Scene("BRR", start_ms=friday).play(3 * DAY_S), Series.DAILY, "BRR")
    assert [t % 86_400_000 // 3_600_000 for t in times] == [16, 16, 15]


def test_bvx_is_silent_outside_of_its_session() -> None:
    """BVX begins at 07:00 US Central, which is 13:00 UTC in January."""
    scene = Scene("BVX")
    assert scene.play(3599) == []
    assert of(scene.play(3), Series.SECOND, "BVX")[0] == START_MS + 3_600_000


def test_a_line_knows_the_last_value_from_the_start() -> None:
    """Before the first tick every line has an already published value."""
    scene = Scene("BRTI", "BRR", "BVX")
    latest = {line.name: line.latest for line in scene.publisher.lines.values()}
    assert all(tick is not None and tick.time < START_MS for tick in latest.values())


def test_a_daily_value_may_be_on_its_way_at_the_start() -> None:
    """A start just after the effective hour finds the value of the day before."""
    scene = Scene("BRR", start_ms=START_MS + 4 * 3_600_000)
    line = scene.publisher.lines["BRR", Series.DAILY]
    assert line.latest is not None
    assert line.latest.time == START_MS - 20 * 3_600_000
    (delivery,) = scene.play(1801)
    assert delivery.tick.time == START_MS + 4 * 3_600_000


def test_a_long_jump_is_not_caught_up() -> None:
    """After a jump of a day real-time ticks go on from now; dailies are all there."""
    scene = Scene("BRTI", "BRR")
    scene.play(2)
    scene.clock.jump(DAY_S)
    out = scene.publisher.advance(scene.clock.now_ms())
    assert len(of(out, Series.DAILY, "BRR")) == 1
    assert len(of(out, Series.FAST)) <= 1 + 1
    assert len(scene.ledger.entries("skipped")) == 1


def test_every_tick_is_in_the_ledger() -> None:
    """What is handed out is what the ledger says, in the same order."""
    scene = Scene("BRTI", "BRR")
    out = scene.play(30)
    written = [(e["id"], e["series"], e["time"]) for e in scene.ledger.entries("tick")]
    assert written == [(d.tick.id, str(d.line.series), d.tick.time) for d in out]


def test_statistics_enclose_the_value() -> None:
    """`rti_stats`: bid <= value <= ask, the same value as the value series."""
    out = Scene("BRTI").play(60)
    values = {d.tick.time: d.tick.value for d in out if d.line.series is Series.SECOND}
    ticks = [d.tick for d in out if d.line.series is Series.STATS]
    assert len(ticks) == 59
    for tick in ticks:
        assert tick.stats is not None
        bid, ask = Decimal(tick.stats.bid), Decimal(tick.stats.ask)
        assert bid <= Decimal(tick.value) <= ask
        assert tick.value == values.get(tick.time, tick.value)


def test_decimals_are_those_of_the_index() -> None:
    """Each value has exactly the decimals that REST `info` tells."""
    for delivery in Scene(*(i for i in INDICES if "_RTI" in i)).play(2):
        digits = delivery.tick.value.partition(".")[2]
        assert len(digits) == INDICES[delivery.tick.id].decimals


def test_units_of_text() -> None:
    """Decimal text reads as an integer number of its last decimals, or as nothing."""
    assert [units_of(t) for t in ("-0.05", "12.30", "7", "x", "")] == [
        -5,
        1230,
        7,
        None,
        None,
    ]


def test_average_with_a_half_cent_tie() -> None:
    """Sixty per-second prints can average to an exact half cent: decimals only."""
    scene = Scene("BRTI")
    scene.play(120)
    ticks = scene.history.between(
        INDICES["BRTI"], START_MS, START_MS + 59_000, START_MS + 120_000, SECOND_MS
    )
    units = sum(units_of(t.value) or 0 for t in ticks)
    last = ticks[-1]
    tie = (units_of(last.value) or 0) + (30 - units) % 60
    scene.history.change(last._replace(value=f"{tie // 100}.{tie % 100:02}"))
    again = scene.history.between(
        INDICES["BRTI"], START_MS, START_MS + 59_000, START_MS + 120_000, SECOND_MS
    )
    mean = sum(Decimal(t.value) for t in again) / 60
    assert len(again) == 60
    assert mean * 1000 % 10 == 5


def test_two_windows_of_a_minute_differ() -> None:
    """`[T-60 s, T)` and `(T-60 s, T]` have different averages."""
    scene = Scene("BRTI")
    scene.play(120)

    def total(first_ms: int) -> int:
        last_ms = first_ms + 59_000
        ticks = scene.history.between(
            INDICES["BRTI"], first_ms, last_ms, last_ms, SECOND_MS
        )
        assert len(ticks) == 60
        return sum(units_of(tick.value) or 0 for tick in ticks)

    assert total(START_MS) != total(START_MS + SECOND_MS)
