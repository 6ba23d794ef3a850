"""What counts as flat in a soak."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.flatness import RULES, judged, slope_an_hour

HOUR_S = 3600


def points(
    value: Callable[[int], float], seconds: int = 1800
) -> list[tuple[float, float]]:
    """Return a sample every 3 s."""
    return [(1000.0 + at, value(at)) for at in range(0, seconds, 3)]


@pytest.mark.parametrize("name", RULES)
def test_what_stays_the_same_is_flat(name: str) -> None:
    """Each rule takes a constant."""
    assert judged(name, points(lambda _: 60.0)).flat


@pytest.mark.parametrize("name", RULES)
def test_what_grows_is_not(name: str) -> None:
    """Each rule refuses a line that trebles."""
    assert not judged(name, points(lambda at: 1000 + at * 2.5)).flat


@pytest.mark.parametrize("name", ["files", "threads", "tasks"])
def test_one_left_behind_is_one_too_many(name: str) -> None:
    """These must be equal, not less either; moments do not count."""
    assert not judged(name, points(lambda at: 20 + (at > 1000))).flat
    assert not judged(name, points(lambda at: 20 - (at > 1000))).flat
    assert judged(name, points(lambda at: 20 + 9 * (at % 60 == 0))).flat


def test_the_start_does_not_count() -> None:
    """A worker fills its buffers in the first sixth."""
    assert judged("rss_mb", points(lambda at: 40.0 if at < 290 else 60.0)).flat


def test_a_slow_leak_is_found_by_its_slope() -> None:
    """7 MB an hour hide below 3 % of the median in half an hour."""
    leak = points(lambda at: 120 + 7 * at / HOUR_S)
    found = judged("rss_mb", leak)

    assert RULES["rss_mb"].most(found.early) > found.late
    assert found.slope == pytest.approx(7)
    assert not found.flat


def test_a_short_run_has_no_slope() -> None:
    """In a minute, the page that a buffer takes would be a slope."""
    assert judged("rss_mb", points(lambda at: 60 + at / 200, 120)).flat


def test_single_jumps_are_no_slope() -> None:
    """The slope is a median over pairs."""
    assert slope_an_hour(points(lambda at: 60 + 30 * (at == 900))) == 0.0
