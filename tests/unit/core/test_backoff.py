"""Reconnect delays: full jitter under an exponential bound, capped, with a floor."""

from __future__ import annotations

import pytest

from bridge.core.backoff import Backoff


def test_the_bound_doubles_up_to_the_cap() -> None:
    """With the highest chance the delays show the bound itself."""
    backoff = Backoff(lambda: 1.0)
    assert [backoff.failed() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.failures == 8


def test_chance_spreads_the_delays() -> None:
    """A delay is the bound times the chance: full jitter."""
    backoff = Backoff(lambda: 0.25, base_seconds=4.0)
    assert [backoff.failed() for _ in range(3)] == [1.0, 2.0, 4.0]


def test_no_delay_is_below_the_floor() -> None:
    """The unluckiest chance does not make a busy loop."""
    assert Backoff(lambda: 0.0, floor_seconds=0.1).failed() == pytest.approx(0.1)


def test_a_stable_period_forgets_the_failures() -> None:
    """After `stable` the delays start small again."""
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.failed()
    backoff.stable()
    assert (backoff.failures, backoff.failed()) == (0, 0.5)


def test_a_thousand_failures_do_not_overflow() -> None:
    """The exponent is bounded, whatever the number of failures."""
    backoff = Backoff(lambda: 1.0)
    assert {backoff.failed() for _ in range(2000)} >= {30.0}
