"""Revisions, duplicates, order: marked, with bounded memory."""

from bridge.venues.cfbenchmarks.ticks import REMEMBERED, Ticks

T = 1579264280000


def test_each_difference_is_a_revision() -> None:
    """The same time with another value or amendTime is the next revision."""
    ticks = Ticks()
    assert ticks.see(T, None, "1.00") == (0, False)
    assert ticks.see(T, T + 5, "1.01") == (1, False)
    assert ticks.see(T, T + 9, "1.01") == (2, False)
    assert ticks.see(T, T + 9, "1.010") == (3, False)


def test_the_very_same_is_a_duplicate() -> None:
    """Same time, amendTime and value is a duplicate and keeps its revision."""
    ticks = Ticks()
    ticks.see(T, None, "1.00")
    ticks.see(T, T + 5, "1.01")
    assert ticks.see(T, None, "1.00") == (0, True)
    assert ticks.see(T, T + 5, "1.01") == (1, True)


def test_equal_values_are_no_duplicates() -> None:
    """The same value at another time is normal."""
    ticks = Ticks()
    ticks.see(T, None, "1.00")
    assert ticks.see(T + 1000, None, "1.00") == (0, False)


def test_late_is_older_than_the_newest() -> None:
    """A time below the newest one is late; the newest itself is not."""
    ticks = Ticks()
    assert [ticks.pass_by(T + t) for t in (0, 5, 5, 4, 6)] == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert ticks.newest_ms == T + 6


def test_memory_is_bounded() -> None:
    """The oldest entries are forgotten, also for one time with endless revisions."""
    ticks = Ticks()
    for n in range(3 * REMEMBERED):
        ticks.see(T + n, None, "1")
        assert ticks.see(T, None, f"1.{n:05}")[1] is False
    assert len(ticks._seen) <= REMEMBERED
    assert len(ticks._counts) <= REMEMBERED


def test_one_time_far_ahead_is_an_outlier_two_are_a_clock() -> None:
    """More than a minute ahead counts only when the next frame confirms it."""
    ticks = Ticks()
    hour = 3_600_000
    assert not ticks.outlier(T + 60_000, T)
    assert ticks.outlier(T + hour, T)
    assert not ticks.outlier(T, T)
    assert not ticks.outlier(T + hour + 1000, T)
    assert ticks.outlier(T + 2 * hour, T)
