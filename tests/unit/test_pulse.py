"""A worker's pulse goes on whatever one of its steps lets out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest
from typing_extensions import override

from bridge.app.pulse import Pulse
from bridge.app.view import Running
from bridge.app.vitals import Vitals
from bridge.errors import BridgeError, KafkaError, Unexpected
from tests.support.running import Run
from tests.unit.flow.fakes import FakeClock

STEPS = ("shares", "poll", "losses", "pressure", "orders", "one", "two")
BEATS = 5


class Limited(FakeClock):
    """A clock that ends the pulse after some beats."""

    def __init__(self) -> None:
        """Have slept never."""
        super().__init__()
        self.done = asyncio.Event()

    @override
    async def sleep(self, seconds: float) -> None:
        """Sleep; the last beat follows the last sleep."""
        await super().sleep(seconds)
        if len(self.slept) == BEATS:
            self.done.set()


class Body:
    """The parts of a worker that count how often each was called."""

    def __init__(self, faulty: str = "", fatal: BridgeError | None = None) -> None:
        """Let `faulty` raise each time."""
        self.calls = dict.fromkeys(STEPS, 0)
        self.failures: list[BridgeError] = []
        self._faulty = faulty
        parts = SimpleNamespace(
            producer=SimpleNamespace(poll=self._step("poll"), fatal=fatal),
            losses=SimpleNamespace(drain=self._step("losses")),
            pressure=SimpleNamespace(step=self._step("pressure")),
            connections=[SimpleNamespace(tick=self._step("one"))],
            order_connections=[SimpleNamespace(tick=self._step("two"))],
        )
        shares = SimpleNamespace(tick=self._step("shares"))
        orders = SimpleNamespace(tick=self._step("orders"))
        self.running = cast("Running", (parts, shares, orders, []))

    def _step(self, name: str) -> Callable[..., None]:
        def call(*_: Any) -> None:
            self.calls[name] += 1
            if name == self._faulty:
                raise_fault()

        return call

    async def beat(self) -> None:
        """Let the pulse come round some times."""
        clock = Limited()
        pulse = Pulse(self.running, Vitals(), clock, self.failures.append)
        await pulse.run(clock.done)


def raise_fault() -> NoReturn:
    """Raise what nobody foresaw."""
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize("faulty", STEPS)
def test_one_faulty_step_hinders_no_other(run: Run, faulty: str) -> None:
    """What ends the worker in order needs all others: reports, orders, sessions."""
    body = Body(faulty)
    run(body.beat())

    every_beat = dict.fromkeys(STEPS, BEATS) | {"one": 1, "two": 1}
    assert body.calls == every_beat
    assert len(body.failures) == every_beat[faulty]
    assert isinstance(body.failures[0], Unexpected)
    assert "pulse: RuntimeError('a fault of ours')" in str(body.failures[0])


def test_a_producer_that_cannot_go_on_ends_the_worker(run: Run) -> None:
    """Kafka's own error decides the exit code."""
    error = KafkaError("the producer cannot go on")
    body = Body(fatal=error)
    run(body.beat())

    assert body.failures == [error] * BEATS
