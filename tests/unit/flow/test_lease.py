"""A lease runs out on either clock, and never if it is for ever."""

from __future__ import annotations

import pytest

from bridge.core.model import Now
from bridge.flow.lease import FOREVER_NS, Lease

SECOND = 1_000_000_000
START = Now(1_700_000_000 * SECOND, 77 * SECOND)


class Hands:
    """Two clocks, moved by hand; counts how often they are read."""

    def __init__(self) -> None:
        """Start at a moment of no meaning."""
        self.present = START
        self.looks = 0

    def now(self) -> Now:
        """Return the present."""
        self.looks += 1
        return self.present

    def move(self, wall_s: float, mono_s: float) -> None:
        """Move both clocks."""
        wall_ns, mono_ns = self.present
        self.present = Now(wall_ns + int(wall_s * 1e9), mono_ns + int(mono_s * 1e9))


@pytest.mark.parametrize(
    ("wall_s", "mono_s", "over"),
    [
        pytest.param(6, 6, False, id="to the end"),
        pytest.param(6.1, 6.1, True, id="a pause"),
        pytest.param(6.1, 0.1, True, id="the machine slept, or its clock was stepped"),
        pytest.param(-100, 6.1, True, id="stepped back during a pause"),
        pytest.param(-100, 1, False, id="stepped back"),
    ],
)
def test_either_clock_ends_it(wall_s: float, mono_s: float, *, over: bool) -> None:
    """What one of the clocks misses the other one sees."""
    hands = Hands()
    lease = Lease(6 * SECOND, hands.now)
    hands.move(wall_s, mono_s)

    assert lease.over is over
    assert lease.until_ns == START.wall_ns + 6 * SECOND


def test_renewing_begins_anew_even_when_it_was_over() -> None:
    """Who renews has looked and answers for it."""
    hands = Hands()
    lease = Lease(6 * SECOND, hands.now)
    hands.move(60, 60)
    lease.renew()

    assert not lease.over
    assert lease.until_ns == START.wall_ns + 66 * SECOND
    hands.move(6.1, 6.1)
    assert lease.over


def test_for_ever_never_ends_and_its_first_look_reads_no_clock() -> None:
    """The look of the hot path is one comparison with a number that stays."""
    hands = Hands()
    lease = Lease(FOREVER_NS, hands.now)
    hands.move(1e9, 1e9)
    lease.renew()

    assert hands.looks == 0
    assert hands.present.wall_ns < lease.until_ns == FOREVER_NS
    assert not lease.over
