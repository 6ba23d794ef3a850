"""What all connections of a worker share."""

from __future__ import annotations

from bridge.app.parts import Nonces
from tests.unit.flow.fakes import FakeClock


def test_nonces_increase_even_when_the_clock_stands_or_steps_back() -> None:
    """Every nonce is greater than the one before, whatever the clock does."""
    clock = FakeClock()
    nonces = Nonces(clock)
    made = [nonces() for _ in range(3)]
    clock.mono_ns -= 500_000_000
    made += [nonces()]
    clock.mono_ns += 2_000_000_000
    made += [nonces()]

    assert made == sorted(set(made))
    assert made[1] == made[0] + 1
    assert made[4] == clock.now().wall_ns
