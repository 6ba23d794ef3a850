"""Virtual time: `bridge.simulators.clock`."""

import asyncio
import contextlib

import pytest

from bridge.simulators.clock import VirtualClock
from tests.support.running import Run, until

START_MS = 1_700_000_000_000


def still() -> VirtualClock:
    return VirtualClock(speed=0, start_ms=START_MS)


def test_a_still_clock_stands() -> None:
    """At speed 0 only a jump moves the time."""
    clock = still()
    clock.jump(1.5)
    assert clock.now_ms() == START_MS + 1500


def test_it_starts_at_the_real_time() -> None:
    """Without a start the virtual time is the real one."""
    assert abs(VirtualClock().now_ms() - VirtualClock.wall_ms()) < 1000


def test_a_jump_wakes_those_whose_time_has_come(run: Run) -> None:
    """A jump wakes sleepers in the order of their time, and nobody else."""
    woken: list[float] = []

    async def sleeper(clock: VirtualClock, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async def scene() -> int:
        clock = still()
        async with asyncio.TaskGroup() as group:
            for seconds in (3.0, 1.0, 2.0, 9.0):
                group.create_task(sleeper(clock, seconds))
            await until(lambda: clock.sleepers == 4, "all asleep")
            clock.jump(5)
            await until(lambda: len(woken) == 3, "three awake")
            left = clock.sleepers
            clock.jump(5)
        return left

    assert run(scene()) == 1
    assert woken == [1.0, 2.0, 3.0, 9.0]


def test_a_fast_clock_wakes_early(run: Run) -> None:
    """At speed 10,000 an hour passes in a fraction of a second."""

    async def scene() -> int:
        clock = VirtualClock(speed=10_000, start_ms=START_MS)
        await clock.sleep(3600)
        return clock.now_ms()

    assert run(scene(), limit=10) >= START_MS + 3_600_000


def test_a_new_speed_holds_for_sleepers(run: Run) -> None:
    """The speed may be set while others sleep; the time itself does not step."""

    async def scene() -> None:
        clock = still()
        sleeper = asyncio.create_task(clock.sleep(3600))
        await until(lambda: clock.sleepers == 1, "asleep")
        clock.speed = 100_000
        assert clock.now_ms() < START_MS + 600_000
        await sleeper

    run(scene(), limit=10)


def test_the_past_is_reached_at_once(run: Run) -> None:
    """Sleeping until a time that has passed returns."""
    run(still().sleep_until(START_MS - 1))


def test_cancelled_sleepers_are_forgotten(run: Run) -> None:
    """Thousands of cancelled sleepers leave nothing behind."""

    async def scene() -> int:
        clock = still()
        tasks = [asyncio.create_task(clock.sleep(1e6)) for _ in range(2000)]
        await until(lambda: clock.sleepers == 2000, "all asleep")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(clock._heap) < 600
        return clock.sleepers

    assert run(scene()) == 0


def test_a_cancelled_sleeper_may_be_passed(run: Run) -> None:
    """A jump over a cancelled sleeper is harmless."""

    async def scene() -> int:
        clock = still()
        task = asyncio.create_task(clock.sleep(1))
        await until(lambda: clock.sleepers == 1, "asleep")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        clock.jump(2)
        return clock.sleepers

    assert run(scene()) == 0


@pytest.mark.parametrize("wrong", [-1.0, -0.001])
def test_time_goes_forward(wrong: float) -> None:
    """Negative speeds and jumps are refused."""
    with pytest.raises(ValueError, match="speed"):
        VirtualClock(speed=wrong)
    with pytest.raises(ValueError, match="forward"):
        still().jump(wrong)
