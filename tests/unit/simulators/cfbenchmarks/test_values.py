"""Made-up values: `bridge.simulators.cfbenchmarks.values`."""

from itertools import pairwise

import pytest

from bridge.simulators.cfbenchmarks.values import Walk, text_of
from tests.unit.simulators.cfbenchmarks.scenes import INDICES, START_MS

HOUR = range(START_MS, START_MS + 3_600_000, 200)


@pytest.mark.parametrize(
    ("units", "decimals", "expected"),
    [
        (7_700_230, 2, "77002.30"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (0, 4, "0.0000"),
        (42, 0, "42"),
        (-42, 0, "-42"),
    ],
)
def test_text_is_zero_padded(units: int, decimals: int, expected: str) -> None:
    """Values keep their trailing zeros, as captures of BRTI do."""
    assert text_of(units, decimals) == expected


def test_the_seed_decides() -> None:
    """The same seed gives the same values, another seed others."""
    index = INDICES["BRTI"]
    first, same, other = (
        [walk.text(index, t) for t in HOUR[:100]]
        for walk in (Walk(1), Walk(1), Walk(2))
    )
    assert first == same
    assert first != other


def test_any_moment_can_be_asked() -> None:
    """A value does not depend on what was asked before."""
    index = INDICES["ETHUSD_RTI"]
    walk = Walk(3)
    late_first = walk.units(index, HOUR[-1])
    assert Walk(3).units(index, HOUR[0]) == walk.units(index, HOUR[0])
    assert Walk(3).units(index, HOUR[-1]) == late_first


def test_it_walks_in_small_integer_steps() -> None:
    """Values are integers that never jump by more than a small part of the level."""
    index = INDICES["BRTI"]
    walk = Walk(1)
    units = [walk.units(index, t) for t in HOUR]
    assert all(value > 0 for value in units)
    assert max(abs(b - a) for a, b in pairwise(units)) < index.level // 10_000
    assert len(set(units)) > 1000
