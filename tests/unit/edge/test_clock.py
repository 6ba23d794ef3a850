"""The clocks: the machine's and the one that tests move."""

import asyncio
import time

from bridge.edge.clock import SystemClock, chance, now
from tests.support.clock import ManualClock
from tests.support.running import Run


def test_the_system_clock_is_the_machines() -> None:
    """Both readings lie between two readings of the machine's clocks."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # sees suspensions
    wall, mono = time.time_ns(), time.clock_gettime_ns(which)
    seen = SystemClock().now()
    assert wall <= seen.wall_ns <= time.time_ns()
    assert mono <= seen.mono_ns <= time.clock_gettime_ns(which)
    assert now() >= seen


def test_the_system_clock_sleeps(run: Run) -> None:
    """A sleep lasts as long as asked for, by the monotonic clock."""
    before = time.monotonic_ns()
    run(SystemClock().sleep(0.01))
    assert time.monotonic_ns() - before >= 9_000_000


def test_chance_is_a_share() -> None:
    """Chance lies in [0, 1) and differs from draw to draw."""
    draws = [chance() for _ in range(100)]
    assert all(0 <= draw < 1 for draw in draws)
    assert len(set(draws)) > 90


def test_a_manual_clock_wakes_sleepers_in_order(run: Run) -> None:
    """Sleepers wake at their own times, whatever order they went to sleep in."""

    async def main() -> None:
        clock, woken = ManualClock(), []

        async def sleeper(seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append((seconds, clock.now().mono_ns))

        tasks = [asyncio.ensure_future(sleeper(s)) for s in (3, 1, 2)]
        await asyncio.sleep(0)
        await clock.advance(2.5)
        assert woken == [(1, 1_000_000_000), (2, 2_000_000_000)]
        assert clock.now().mono_ns == 2_500_000_000
        await clock.advance(1)
        assert len(woken) == 3
        await asyncio.gather(*tasks)

    run(main())
