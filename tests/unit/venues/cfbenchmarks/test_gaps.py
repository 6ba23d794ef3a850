"""Missing times of the grid: found, waited for, listed."""

from collections.abc import Iterable

import pytest

from bridge.venues.cfbenchmarks.gaps import SPANS_KEPT, SPANS_SHOWN, Grid, reports
from bridge.venues.cfbenchmarks.rhythm import EACH_SECOND, SESSION
from tests.unit.venues.cfbenchmarks.test_schedule import ms

T = 1579264280000


def grid(resume: int | None = None, *, fine: bool = True) -> Grid:
    """Return the grid of a real-time index."""
    return Grid(1000, EACH_SECOND.stretch, resume, fine=fine)


def missing(taken: Grid, times: Iterable[int]) -> list[tuple[str, int]]:
    """Feed times after T, all at once; return what is reported after settling."""
    for time in times:
        taken.see(T + time, 0)
    assert taken.due(3_000) == []
    return list(reports(taken.due(3_001)))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 1000, 2000], []),
        ([0, 2000], [("1579264281000", 1)]),
        ([0, 8000], [("1579264281000..1579264287000 step 1000", 7)]),
        ([0, 2000, 1000], []),  # late in time
        ([0, 4000, 2000], [("1579264281000, 1579264283000", 2)]),
        ([0, 4000, 1000, 2000, 3000], []),
        ([0, 1000, 1000, 1000], []),
        ([0, 2000, 500], [("1579264281000", 1)]),  # off the grid fills nothing
        ([2000, 0, 1000, 3000], []),  # before the first frame nothing is missing
        ([5000, 4000, 3000, 2000, 1000, 6000], []),
        ([400, 1000, 3000], [("1579264282000", 1)]),
    ],
)
def test_missing_seconds(times: list[int], expected: list[tuple[str, int]]) -> None:
    """Seconds that did not come before settling are listed, no others."""
    assert missing(grid(), times) == expected


def test_reported_once() -> None:
    """A gap is reported once, and late frames afterwards change nothing."""
    taken = grid()
    assert missing(taken, [0, 2000])
    taken.see(T + 1000, 5_000)
    assert taken.due(99_000) == []


def test_resume_counts_from_the_connection_before() -> None:
    """A new connection lists what is missing since the last good time."""
    expected = [("1579264281000..1579264287000 step 1000", 7)]
    assert missing(grid(T), [8000]) == expected
    assert missing(grid(T + 200), [8000]) == expected
    assert missing(grid(T), [0, 1000]) == []
    assert missing(grid(T), [1000]) == []


def test_the_fine_grid_is_learned() -> None:
    """Five steps of 200 ms in a row prove 5 Hz; from then each 200 ms counts."""
    taken = grid()
    assert missing(taken, [*range(0, 1001, 200), 1200, 1800]) == [
        ("1579264281400..1579264281600 step 200", 2)
    ]
    assert taken.step_ms == 200


def test_a_stray_tick_between_seconds_proves_nothing() -> None:
    """A few ticks between whole seconds leave the grid at one second."""
    taken = grid()
    assert missing(taken, [0, 200, 400, 600, 800, 2000, 3000]) == [("1579264281000", 1)]
    assert taken.step_ms == 1000


def test_the_coarse_grid_is_learned_again() -> None:
    """Ten whole seconds in a row prove that 5 Hz is over."""
    taken = grid()
    for time in [*range(0, 1001, 200), *range(2000, 11_001, 1000)]:
        taken.see(T + time, 0)
    assert taken.step_ms == 1000
    taken.drain()
    assert missing(taken, [12_000, 14_000]) == [("1579264293000", 1)]


def test_per_second_never_learns_the_fine_grid() -> None:
    """Where one value a second was asked for, only whole seconds count."""
    taken = grid(fine=False)
    assert missing(taken, [*range(0, 2001, 200), 4200, 5000]) == [
        ("1579264283000..1579264284000 step 1000", 2)
    ]


def test_no_grid_no_gaps() -> None:
    """Daily and unknown indices have no grid."""
    taken = Grid(None, EACH_SECOND.stretch, T)
    assert missing(taken, [0, 86_400_000]) == []


def test_a_session_starts_anew_each_day() -> None:
    """The night between two sessions is no gap; a hole within one is."""
    close, opening = ms("2026-06-09 20:59:59"), ms("2026-06-10 12:00")
    taken = Grid(1000, SESSION.stretch)
    for time in (close - 2000, close, opening, opening + 2000):
        taken.see(time, 0)
    assert [span.text for span in taken.due(3_001)] == [
        str(close - 1000),
        str(opening + 1000),
    ]


def test_drain_does_not_wait() -> None:
    """At the end of a connection all that is missing is listed at once."""
    taken = grid()
    taken.see(T, 0)
    taken.see(T + 2000, 0)
    assert [span.text for span in taken.drain()] == ["1579264281000"]
    assert taken.drain() == []


def test_many_runs_are_all_listed_and_memory_is_bounded() -> None:
    """Above the limit the oldest runs are reported at once; none is left out."""
    taken = grid()
    times = range(0, 2000 * (SPANS_KEPT + 60), 2000)
    for time in times:
        taken.see(T + time, 0)
    early = taken.due(0)
    assert len(early) == len(times) - 1 - SPANS_KEPT
    rest = list(reports(taken.due(3_001)))
    assert [count for _, count in rest] == [SPANS_SHOWN] * 5 + [6]
