"""A worker's pulse: what has to be looked at again and again while it runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from functools import partial

from bridge.app.view import Running
from bridge.app.vitals import Vitals
from bridge.core.model import Now
from bridge.edge.clock import Clock
from bridge.errors import BridgeError, named

PULSE_S = 0.02
BEATS_A_TICK = 5
FREEZE_AFTER_BEATS = 250


class Pulse:
    """Serves delivery reports, pressure, losses, and the sessions' time."""

    def __init__(
        self,
        running: Running,
        vitals: Vitals,
        clock: Clock,
        failed: Callable[[BridgeError], None],
    ) -> None:
        """Prepare; `failed` is told of what a beat lets out, and must end the worker.

        The beats go on all the same, since an end in order needs them.
        """
        self._running = running
        self._vitals = vitals
        self._clock = clock
        self._failed = failed
        self._beats = 0

    async def run(self, done: asyncio.Event) -> None:
        """Beat until `done`."""
        while not done.is_set():
            await self._clock.sleep(PULSE_S)
            for step in self._steps(self._clock.now()):
                self._take(step)
            self._beats += 1
            if self._beats == FREEZE_AFTER_BEATS:
                freeze()

    def _steps(self, now: Now) -> Iterator[Callable[[], object]]:
        parts, shares, orders, _ = self._running
        yield partial(self._vitals.beat, now, PULSE_S)
        yield shares.tick
        yield parts.producer.poll
        yield partial(parts.losses.drain, now)
        yield partial(parts.pressure.step, now)
        if orders is not None:
            yield partial(orders.tick, now)
        if self._beats % BEATS_A_TICK == 0:
            for connection in [*parts.connections, *parts.order_connections]:
                yield partial(connection.tick, now)
        if parts.producer.fatal is not None:
            self._failed(parts.producer.fatal)

    def _take(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a fault of ours ends it in order
            self._failed(named("pulse", error))


def freeze() -> None:
    """Take what start-up made out of the collector's sight.

    A full collection over import-time objects is the one long pause of a worker.
    """
    gc.collect()
    gc.freeze()
